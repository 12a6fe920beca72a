"""How probable a phone is after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Bigram:
    """A bigram model of phones, as natural logarithms of probabilities.

    Parameters
    ----------
    start : Tensor
        (phones,) float64, of beginning with a phone.
    between : Tensor
        (phones, phones) float64, of the second phone (columns) after the first (rows).
    end : Tensor
        (phones,) float64, of ending after a phone.
    """

    start: Tensor
    between: Tensor
    end: Tensor


def bigram(strings: Sequence[Sequence[str]], phones: Sequence[str]) -> Bigram:
    """Learn a bigram model by counting, smoothed with the phones' own frequencies after Witten & Bell.

    Parameters
    ----------
    strings : sequence of sequence of str
        The phones of each utterance, silences included.
    phones : sequence of str
        All phones.

    Returns
    -------
    Bigram
        The model. Every pair has a probability above 0.

    Raises
    ------
    KeyError
        For a phone that is none of `phones`.

    Notes
    -----
    p(b | a) = (n(a, b) + t(a) p(b)) / (n(a) + t(a)), where t(a) is the number of different phones after a (Witten & Bell 1991,
    doi:10.1109/18.87000), and p(b) = (n(b) + 1) / (n + phones + 1). An utterance's start and end count as phones.

    Examples
    --------
    >>> import harmonium as hm
    >>> model = hm.sequence.bigram([["a", "b"], ["a", "a", "b"]], ["a", "b"])
    >>> model.between.exp()
    tensor([[0.3600, 0.5200],
            [0.1333, 0.1000]], dtype=torch.float64)
    """
    known = {phone: place for place, phone in enumerate(phones)}
    edge = len(phones)
    counts = torch.zeros(edge + 1, edge + 1, dtype=torch.float64)
    for string in strings:
        places = torch.tensor([edge, *(known[phone] for phone in string), edge])
        counts.index_put_((places[:-1], places[1:]), torch.ones(len(places) - 1, dtype=torch.float64), accumulate=True)
    alone = (counts.sum(0) + 1) / (counts.sum() + edge + 1)
    different = (counts > 0).sum(1, keepdim=True).clamp_min(1)
    found = ((counts + different * alone) / (counts.sum(1, keepdim=True) + different)).log()
    return Bigram(found[edge, :edge], found[:edge, :edge], found[:edge, edge])

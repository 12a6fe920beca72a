"""Phones as left-to-right hidden Markov models, and transcripts as chains of their states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from harmonium.sequence.chains import Chains

PAUSE = "|"  # in a transcript: here may be a silence


@dataclass(frozen=True, eq=False)
class PhoneHMM:
    """Phones of several states each, passed from left to right, each state any number of times but once at least.

    Parameters
    ----------
    phones : tuple of str
        The names. State k of phone p has number p · states + k in scores, paths and priors.
    loops : Tensor
        (phones, states) float64, the probability that a frame of the state is followed by another.
    silence : str, optional
        The phone of pauses, one of `phones`. A mark `PAUSE`, "|", in a transcript stands for a silence that may be there or not.
    pause : float, default 0.5
        The probability that there is a silence at such a mark.

    Raises
    ------
    ValueError
        For a phone named twice or named "|", for a silence that is no phone, and for probabilities that are not between 0 and 1.

    Examples
    --------
    >>> import harmonium as hm
    >>> hmm = hm.sequence.PhoneHMM.alike(["sil", "a", "t"], silence="sil")
    >>> hmm.states, hmm.count
    (3, 9)
    """

    phones: tuple[str, ...]
    loops: Tensor
    silence: str | None = None
    pause: float = 0.5

    def __post_init__(self) -> None:
        if len(set(self.phones)) != len(self.phones) or PAUSE in self.phones:
            raise ValueError(f"phones have names of their own, other than {PAUSE!r}, found {', '.join(self.phones)}")
        if self.silence is not None and self.silence not in self.phones:
            raise ValueError(f"the silence is one of the phones, found {self.silence!r}, which is none of {', '.join(self.phones)}")
        if self.loops.ndim != 2 or len(self.loops) != len(self.phones) or not ((self.loops > 0) & (self.loops < 1)).all():
            raise ValueError(f"loops are probabilities between 0 and 1, ({len(self.phones)}, states), found {self.loops.tolist()}")
        if not 0 < self.pause < 1:
            raise ValueError(f"the probability of a silence at a mark lies between 0 and 1, found {self.pause}")

    @classmethod
    def alike(cls, phones: Sequence[str], *, states: int = 3, silence: str | None = None, loop: float = 0.5) -> Self:
        """Phones that all have the same number of states and the same probability of staying in each."""
        return cls(tuple(phones), torch.full((len(phones), states), loop, dtype=torch.float64), silence)

    @property
    def states(self) -> int:
        """States of a phone."""
        return self.loops.shape[1]

    @property
    def count(self) -> int:
        """States of all phones."""
        return self.loops.numel()

    def chains(self, transcripts: Sequence[Sequence[str]]) -> Chains:
        """The states that utterances pass through, side by side in a batch.

        Parameters
        ----------
        transcripts : sequence of sequence of str
            The phones of each utterance, with "|" where a silence may be.

        Raises
        ------
        ValueError
            For a transcript without phones, with an unknown phone, with two marks in a row, or with marks where no phone is a silence.
        """
        found = [self._chain(self._places(transcript, number)) for number, transcript in enumerate(transcripts)]
        states, entered, start, end, least = (list(each) for each in zip(*found, strict=True))
        nowhere = -math.inf
        return Chains(
            pad_sequence(states, batch_first=True),
            pad_sequence([each.T for each in entered], batch_first=True, padding_value=nowhere).transpose(1, 2),
            pad_sequence(start, batch_first=True, padding_value=nowhere),
            pad_sequence(end, batch_first=True, padding_value=nowhere),
            torch.tensor(least),
            (0, 1, 1 + self.states),
        )

    def _places(self, transcript: Sequence[str], number: int) -> tuple[Tensor, Tensor]:
        """The number of each phone of a transcript, and whether it may be left out."""
        unknown = sorted({*transcript} - {*self.phones, PAUSE})
        if unknown:
            raise ValueError(f"transcript {number} has phones that are none of the model's: {', '.join(unknown)}")
        optional = [phone == PAUSE for phone in transcript]
        if all(optional) or any(one and other for one, other in pairwise(optional)):
            raise ValueError(f"a transcript has a phone, and one between any two marks {PAUSE!r}: transcript {number} has not")
        if any(optional) and self.silence is None:
            raise ValueError(f"transcript {number} has marks {PAUSE!r} for silences, and the model has no silence: name one with silence=")
        known = {phone: place for place, phone in enumerate(self.phones)}
        return torch.tensor([known[self.silence or "" if phone == PAUSE else phone] for phone in transcript]), torch.tensor(optional)

    def _chain(self, places: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
        """What `Chains` holds of one transcript."""
        phones, optional = places
        size, there, absent = self.states, math.log(self.pause), math.log1p(-self.pause)
        states = (phones[:, None] * size + torch.arange(size)).flatten()
        loop = self.loops.double().flatten()[states]
        leave, first = torch.log1p(-loop), torch.arange(len(phones)) * size
        entered = torch.full((3, len(states)), -math.inf, dtype=torch.float64)
        entered[0] = loop.log()
        entered[1, 1:] = leave[:-1]
        entered[1, first[optional]] += there
        over = first[2:][optional[1:-1]]  # entered from before the silence
        entered[2, over] = leave[over - size - 1] + absent
        start, end = (torch.full((len(states),), -math.inf, dtype=torch.float64) for _ in range(2))
        start[0], end[-1] = 0.0, leave[-1]
        if optional[0]:
            start[0], start[size] = there, absent
        if optional[-1]:
            end[-1 - size] = leave[-1 - size] + absent
        return states, entered, start, end, size * int((~optional).sum())

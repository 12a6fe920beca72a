"""Utterances laid along the states of their transcripts: forced alignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from harmonium.data.tables import as_tensor
from harmonium.sequence.chains import viterbi
from harmonium.sequence.phone_hmm import PhoneHMM

TOGETHER = 64  # utterances in a batch


class Segment(NamedTuple):
    """A phone and its frames.

    Attributes
    ----------
    phone : str
        The name.
    start, end : int
        The first frame, and the one after the last.

    Examples
    --------
    >>> import harmonium as hm
    >>> phone, start, end = hm.sequence.Segment("a", 0, 12)
    >>> 0.01 * (end - start)  # seconds
    0.12
    """

    phone: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class StatePath:
    """The best path of an utterance.

    Parameters
    ----------
    score : float
        Its log-likelihood, with the transitions'; a decoded path has the language's too.
    states : Tensor
        (frames,) int64, the number of the state of each frame.
    segments : list of Segment
        The phones one after another, silences included.
    """

    score: float
    states: Tensor
    segments: list[Segment]

    @property
    def phones(self) -> list[str]:
        """The phones alone."""
        return [each.phone for each in self.segments]


def align(hmm: PhoneHMM, scores: Sequence[Tensor], transcripts: Sequence[Sequence[str]]) -> list[StatePath]:
    """The best path of each utterance through the states of its transcript.

    Parameters
    ----------
    hmm : PhoneHMM
        The phones.
    scores : sequence of Tensor
        (frames, states) of each utterance: log-likelihoods, of `GaussianMixtures` or scaled ones of a net.
    transcripts : sequence of sequence of str
        The phones of each utterance, with "|" where a silence may be.

    Returns
    -------
    list of StatePath
        One for each utterance. The states are a net's targets.

    Raises
    ------
    ValueError
        For another number of transcripts, for transcripts that `PhoneHMM.chains` refuses, for scores of another number of states or that
        are not finite, and for an utterance with fewer frames than its phones have states.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm, scores = hm.sequence.PhoneHMM.alike(["a", "b"], states=1), torch.zeros(5, 2)
    >>> scores[:3, 0] = 5
    >>> hm.sequence.align(hmm, [scores], [["a", "b"]])[0].segments
    [Segment(phone='a', start=0, end=3), Segment(phone='b', start=3, end=5)]
    """
    scores = as_frames(scores)
    check(hmm, scores, transcripts)
    found: dict[int, StatePath] = {}
    for batch in of_like_length(scores):
        chains, padded, lengths = hmm.chains([transcripts[i] for i in batch]), *together([scores[i] for i in batch])
        best, nodes = viterbi(chains, padded, lengths)
        states = chains.states.gather(1, nodes)
        for row, number in enumerate(batch):
            frames = int(lengths[row])
            place = nodes[row, :frames] // hmm.states
            found[number] = path(hmm, best[row].item(), states[row, :frames], place[1:] != place[:-1])
    return [found[number] for number in range(len(scores))]


def path(hmm: PhoneHMM, score: float, states: Tensor, entered: Tensor) -> StatePath:
    """A path with its phones. `entered`, (frames - 1,): whether a phone begins at each frame after the first."""
    starts = [0, *(entered.nonzero().squeeze(1) + 1).tolist()]
    ends = [*starts[1:], len(states)]
    names = [hmm.phones[int(states[start]) // hmm.states] for start in starts]
    return StatePath(score, states, [Segment(*each) for each in zip(names, starts, ends, strict=True)])


def check(hmm: PhoneHMM, scores: Sequence[Tensor], transcripts: Sequence[Sequence[str]] | None = None) -> None:
    """Raises a ValueError for scores that do not fit the phones, or the transcripts."""
    if transcripts is not None and len(scores) != len(transcripts):
        raise ValueError(f"each utterance has a transcript, found {len(scores)} utterances and {len(transcripts)} transcripts")
    least = [hmm.states] * len(scores) if transcripts is None else hmm.chains(transcripts).least.tolist() if transcripts else []
    for number, (each, frames) in enumerate(zip(scores, least, strict=True)):
        if each.ndim != 2 or each.shape[1] != hmm.count:
            raise ValueError(f"scores are (frames, {hmm.count}), a column for each state, found {tuple(each.shape)} for utterance {number}")
        if len(each) < frames:
            raise ValueError(f"utterance {number} has {len(each)} frames, and its phones need {frames} at least: leave it out")
        if not each.isfinite().all():
            raise ValueError(f"scores are finite, found NaN or infinite ones for utterance {number}: look at its features")


def as_frames(utterances: Sequence[Any]) -> list[Tensor]:
    """Utterances in any form that holds numbers, as tensors of floats."""
    return [each if each.is_floating_point() else each.float() for each in map(as_tensor, utterances)]


def of_like_length(utterances: Sequence[Tensor]) -> Iterator[list[int]]:
    """The numbers of the utterances, so many at a time, the shortest first."""
    order = sorted(range(len(utterances)), key=lambda number: len(utterances[number]))
    for start in range(0, len(order), TOGETHER):
        yield order[start : start + TOGETHER]


def together(scores: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(batch, frames, states), with zeros beyond the ends, and the lengths, (batch,)."""
    return pad_sequence(list(scores), batch_first=True), torch.tensor([len(each) for each in scores])

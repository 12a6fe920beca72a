"""The best phones of an utterance: Viterbi over a loop of all phones, with a bigram between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.sequence.alignment import StatePath, as_frames, check, of_like_length, path, together
from harmonium.sequence.phone_bigram import Bigram
from harmonium.sequence.phone_hmm import PhoneHMM


def decode(hmm: PhoneHMM, scores: Sequence[Tensor], language: Bigram, *, weight: float = 1.0, penalty: float = 0.0) -> list[StatePath]:
    """The path of highest score through any phones.

    Parameters
    ----------
    hmm : PhoneHMM
        The phones.
    scores : sequence of Tensor
        (frames, states) of each utterance: log-likelihoods, of `GaussianMixtures` or scaled ones of a net.
    language : Bigram
        The probabilities of phones after each other.
    weight : float, default 1
        What the logarithms of the language are multiplied with.
    penalty : float, default 0
        What each phone takes off the score, in nats. Fewer phones are found with a larger one.

    Returns
    -------
    list of StatePath
        One for each utterance. `StatePath.phones` are the phones found, silences included.

    Raises
    ------
    ValueError
        For scores of another number of states or that are not finite, and for an utterance with fewer frames than a phone has states.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm, scores = hm.sequence.PhoneHMM.alike(["a", "b"], states=1), torch.zeros(5, 2)
    >>> scores[:3, 0], scores[3:, 1] = 5, 5
    >>> hm.sequence.decode(hmm, [scores], hm.sequence.bigram([["a", "b"]], ["a", "b"]))[0].phones
    ['a', 'b']
    """
    scores = as_frames(scores)
    check(hmm, scores)
    loop = Loop.of(hmm, language, weight, penalty)
    found: dict[int, StatePath] = {}
    for batch in of_like_length(scores):
        padded, lengths = together([scores[i] for i in batch])
        best, states, entered = search(loop, padded.double().view(*padded.shape[:2], *hmm.loops.shape), lengths)
        for row, number in enumerate(batch):
            frames = int(lengths[row])
            found[number] = path(hmm, best[row].item(), states[row, :frames], entered[row, 1:frames])
    return [found[number] for number in range(len(scores))]


class Loop(NamedTuple):
    """Log-probabilities: of staying in a state and of leaving it, (phones, states); of a phone at the start, after another, at the end."""

    stay: Tensor
    leave: Tensor
    start: Tensor
    between: Tensor
    end: Tensor

    @classmethod
    def of(cls, hmm: PhoneHMM, language: Bigram, weight: float, penalty: float) -> Loop:
        loops = hmm.loops.double()
        start, between = (weight * each - penalty for each in (language.start, language.between))
        return cls(loops.log(), torch.log1p(-loops), start, between, weight * language.end)


def search(loop: Loop, scores: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best paths of a batch.

    Parameters
    ----------
    loop
        The phones.
    scores
        (batch, frames, phones, states) float64.
    lengths
        (batch,) int64.

    Returns
    -------
    score, states, entered : Tensor
        (batch,); (batch, frames) int64, the number of each frame's state; (batch, frames), whether a phone begins there.
    """
    batch, frames, phones, size = scores.shape
    delta = torch.full((batch, phones, size), -math.inf, dtype=torch.float64)
    delta[:, :, 0] = loop.start + scores[:, 0, :, 0]
    moved = torch.zeros(frames, batch, phones, size, dtype=torch.bool)  # whether a state was entered, and not stayed in
    before = torch.zeros(frames, batch, phones, dtype=torch.int64)  # the phone from which a phone was entered
    for frame in range(1, frames):
        left = delta + loop.leave
        entering, before[frame] = (left[:, :, -1, None] + loop.between).max(1)
        come, stay = torch.cat([entering[:, :, None], left[:, :, :-1]], 2), delta + loop.stay
        inside = (frame < lengths)[:, None, None]
        moved[frame] = (come > stay) & inside
        delta = torch.where(inside, torch.maximum(come, stay) + scores[:, frame], delta)
    score, phone = (delta[:, :, -1] + loop.leave[:, -1] + loop.end).max(1)
    states, entered = torch.empty(batch, frames, dtype=torch.int64), torch.zeros(batch, frames, dtype=torch.bool)
    row, state = torch.arange(batch), torch.full((batch,), size - 1)
    for frame in reversed(range(frames)):
        states[:, frame] = phone * size + state
        come = moved[frame, row, phone, state]
        entered[:, frame] = new = come & (state == 0)
        phone = torch.where(new, before[frame, row, phone], phone)
        state = torch.where(new, size - 1, state - (come & ~new).long())
    return score, states, entered

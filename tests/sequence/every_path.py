"""Small hidden Markov models by listing every path: plain loops over states and frames, nothing from the package.

Phones are numbered; state k of phone p is p · size + k. `loop[p][k]` is the probability of staying. Chains of a transcript are written out
as all strings with each optional silence there or not; a path is a string of phones with the number of frames that each state has.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

MARK = None


def strings(transcript: Sequence[int | None], silence: int | None, pause: float) -> Iterator[tuple[list[int], float]]:
    """Every string of phones that a transcript may be, with the log-probability of its pauses."""
    marks = [place for place, phone in enumerate(transcript) if phone is MARK]
    for there in itertools.product((False, True), repeat=len(marks)):
        choice = dict(zip(marks, there, strict=True))
        found = [silence if phone is MARK else phone for place, phone in enumerate(transcript) if choice.get(place, True)]
        yield found, sum(math.log(pause if each else 1 - pause) for each in there)


def divisions(frames: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to divide frames into parts of one frame at least."""
    for cuts in itertools.combinations(range(1, frames), parts - 1):
        edges = (0, *cuts, frames)
        yield tuple(b - a for a, b in itertools.pairwise(edges))


def paths(string: Sequence[int], scores: np.ndarray, loop: np.ndarray) -> Iterator[tuple[float, list[int]]]:
    """Every path of a string of phones: its log-probability with the scores, and the state of each frame."""
    size = loop.shape[1]
    nodes = [(phone, state) for phone in string for state in range(size)]
    for parts in divisions(len(scores), len(nodes)) if len(scores) >= len(nodes) else ():
        states = [phone * size + state for (phone, state), part in zip(nodes, parts, strict=True) for _ in range(part)]
        total = sum(scores[frame, state] for frame, state in enumerate(states))
        for (phone, state), part in zip(nodes, parts, strict=True):
            total += (part - 1) * math.log(loop[phone, state]) + math.log(1 - loop[phone, state])
        yield total, states

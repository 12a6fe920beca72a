"""Some jittered toy objects, as many as are asked for, without the gigabytes of the whole set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harmonium.data.norb import AZIMUTHS, ELEVATIONS, NAMES, TOYS
from harmonium.data.toys.cluttered import SIDE, Clutter, jittered
from harmonium.data.toys.five_kinds import toy
from harmonium.data.toys.lamps import LIGHTINGS, layers
from harmonium.seeds import derive

SHAPES = 0  # the seed of the toys' shapes: those of the whole set


def some_jittered(part: str, views: int, copies: int, seed: int) -> Iterator[tuple[NDArray[np.uint8], int, int]]:
    """Each toy of a part, each of its views before several clutters; then pairs that show no toy, a sixth of all.

    Parameters
    ----------
    part : str
        "training" or "testing".
    views : int
        Of each toy, in random ones of NORB's directions and lightings.
    copies : int
        Of each view: other shifts, turns, scales, brightnesses, contrasts and clutters.
    seed : int
        Seed of views and changes. The toys are the same with every seed.

    Yields
    ------
    pairs : numpy.ndarray
        (views · copies, 2, 108, 108) uint8.
    category : int
        Their place in `hm.data.norb.NAMES`, and 5 where there is no toy.
    number : int
        The toy within its category, and -1 where there is none.
    """
    draw = np.random.default_rng(derive(seed, *TOYS[part]))
    numbers = list(itertools.product(range(len(NAMES)), TOYS[part]))
    toys = [toy(*each, SHAPES) for each in numbers]
    clutter = Clutter.drawn(toys, draw)
    for own, (category, number) in enumerate(numbers):
        seen = [
            layers(
                toys[own],
                ([30 + 5.0 * draw.integers(ELEVATIONS)], [20.0 * draw.integers(AZIMUTHS)]),
                [int(draw.integers(len(LIGHTINGS)))],
                SIDE,
            )[0, 0, 0]
            for _ in range(views)
        ]
        yield jittered(np.repeat(np.stack(seen), copies, axis=0), clutter, own, draw)[0], category, number
    nothing = np.zeros((views * copies, 2, 2, SIDE, SIDE), dtype=np.float32)
    for _ in range(len(numbers) // len(NAMES)):
        yield jittered(nothing, clutter, None, draw)[0], len(NAMES), -1

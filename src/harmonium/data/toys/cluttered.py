"""Toys that are shifted, turned and shrunk before a clutter of textures, another toy at the border: as in the jittered-cluttered NORB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from harmonium.data.toys.five_kinds import Toy
from harmonium.data.toys.lamps import LIGHTINGS, layers, over
from harmonium.data.toys.solids import Array

SIDE = 108
SHIFT, TURN, BRIGHTNESS, CONTRAST, SCALE = 6, 5, 20, (80, 130), (78, 100)  # pixels, degrees, grey levels, hundredths, hundredths
OTHER_SCALE, OTHER_PLACE = (0.5, 0.8), (44, 58)  # of the toy at the border, and pixels from its middle to the picture's
GROUNDS, GROUND_SIDE = 64, 256
PARALLAX = 8  # pixels by which the two cameras' views of the clutter differ at most
VIEWS = 8  # of each toy, among which those at the border are
FEW = 162  # pairs at once, so few that all of them stay in the cache
MIDDLE = 128  # the grey level that a change of contrast leaves


class Clutter(NamedTuple):
    """What is put behind and beside toys.

    Attributes
    ----------
    grounds : numpy.ndarray
        (GROUNDS, GROUND_SIDE, GROUND_SIDE) grey levels.
    others : numpy.ndarray
        (toys · VIEWS, 2, 2, SIDE, SIDE) layers of the toys of a part, toy by toy.
    """

    grounds: Array
    others: Array

    @classmethod
    def drawn(cls, toys: Sequence[Toy], draw: np.random.Generator) -> Clutter:
        """Clutter for the toys of a part.

        Parameters
        ----------
        toys : sequence of Toy
            The toys.
        draw : numpy.random.Generator
            The source of the draws.
        """
        others = [
            layers(toy, ([draw.uniform(30, 70)], [draw.uniform(0, 360)]), [int(draw.integers(len(LIGHTINGS)))], SIDE)[0, 0, 0]
            for toy in toys
            for _ in range(VIEWS)
        ]
        return cls(np.stack([_ground(draw) for _ in range(GROUNDS)]), np.stack(others))


def _ground(draw: np.random.Generator) -> Array:
    """A texture with the spectrum of natural images, and edges: patches between straight lines, each of its own grey and grain."""
    frequency = np.hypot(np.fft.fftfreq(GROUND_SIDE)[:, None], np.fft.rfftfreq(GROUND_SIDE))
    frequency[0, 0] = np.inf
    place = np.arange(GROUND_SIDE)
    found = np.zeros((GROUND_SIDE, GROUND_SIDE))
    for patch in range(draw.integers(4, 14)):
        noise = np.fft.irfft2(np.fft.rfft2(draw.standard_normal(found.shape)) / frequency ** draw.uniform(0.8, 1.6), found.shape)
        inside = np.ones(found.shape, dtype=bool)
        for _ in range(draw.integers(2, 5) if patch else 0):
            row, column, angle = *draw.uniform(0, GROUND_SIDE, 2), draw.uniform(0, 2 * np.pi)
            inside &= (np.sin(angle) * (place[:, None] - row) + np.cos(angle) * (place - column)) > 0
        found = np.where(inside, draw.uniform(60, 200) + draw.uniform(8, 35) * noise / noise.std(), found)
    return np.clip(found, 0, 255).astype(np.float32)


def jittered(shown: Array, clutter: Clutter, own: int | None, draw: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Put each pair, moved, before clutter.

    Parameters
    ----------
    shown : numpy.ndarray
        (pairs, 2 cameras, 2 layers, SIDE, SIDE), as of `layers`.
    clutter : Clutter
        What is put behind and beside.
    own : int or None
        The toy's place in the clutter, as no toy is beside itself.
    draw : numpy.random.Generator
        The source of the draws.

    Returns
    -------
    pairs : numpy.ndarray
        (pairs, 2, SIDE, SIDE) uint8.
    changes : numpy.ndarray
        (pairs, 6) int32: shifts to the right and down in pixels, brightness in grey levels, contrast and scale in hundredths, and the turn
        to the left in degrees.
    """
    count = len(shown)
    lows = (-SHIFT, -SHIFT, -BRIGHTNESS, CONTRAST[0], SCALE[0], -TURN)
    changes = draw.integers(lows, [SHIFT, SHIFT, BRIGHTNESS, CONTRAST[1], SCALE[1], TURN], (count, 6), endpoint=True)
    right, down, brightness, contrast, scale, turn = changes.T.astype(np.float32)[..., None]
    angle, far = draw.uniform(0, 2 * np.pi, (count, 1)), draw.uniform(*OTHER_PLACE, (count, 1))
    border = np.concatenate(
        [far * np.cos(angle), far * np.sin(angle), draw.uniform(*OTHER_SCALE, (count, 1)), np.zeros((count, 1))], axis=1
    )
    beside = _beside(len(clutter.others), count, own, draw)
    places = draw.integers(0, GROUND_SIDE - SIDE - PARALLAX, (count, 2), endpoint=True)
    grounds, parallax = draw.integers(len(clutter.grounds), size=count), draw.integers(0, PARALLAX, count, endpoint=True)
    pairs = np.empty((count, 2, SIDE, SIDE), dtype=np.uint8)
    moves = np.concatenate([right, down, scale / 100, turn], axis=1)
    for start in range(0, count, FEW):
        few = slice(start, start + FEW)
        found = _behind(clutter.grounds, grounds[few], places[few], parallax[few])
        found = over(_moved(clutter.others[beside[few]], border[few]), found)
        found = over(_moved(shown[few], moves[few]), found)
        found = MIDDLE + contrast[few, :, None, None] / 100 * (found - MIDDLE) + brightness[few, :, None, None]
        pairs[few] = np.rint(np.clip(found, 0, 255))
    return pairs, changes.astype(np.int32)


def _beside(others: int, count: int, own: int | None, draw: np.random.Generator) -> NDArray[np.int64]:
    """Which views of toys are at the border, none of them of the toy itself."""
    if own is None:
        return draw.integers(others, size=count)
    return (VIEWS * (own + 1) + draw.integers(others - VIEWS, size=count)) % others


def _behind(grounds: Array, which: NDArray[np.int64], places: NDArray[np.int64], parallax: NDArray[np.int64]) -> Array:
    """Windows of grounds, that of the right camera further to the right by the parallax: (pairs, 2, SIDE, SIDE)."""
    windows = np.lib.stride_tricks.sliding_window_view(grounds, (SIDE, SIDE), axis=(1, 2))
    rows, columns = places.T
    return np.stack([windows[which, rows, columns], windows[which, rows, columns + parallax]], axis=1)


def _moved(shown: Array, moves: NDArray[np.floating]) -> Array:
    """Layers shifted to the right and down by pixels, scaled, and turned to the left by degrees, each by its row of moves: (pairs, 4)."""
    right, down, scale, turn = torch.from_numpy(moves.astype(np.float32)).T
    cos, sin = turn.deg2rad().cos() / scale, turn.deg2rad().sin() / scale
    # A new pixel looks at the place that the move has brought there: rows count downwards, and a picture's half side is 1.
    x, y = 2 * right / SIDE, 2 * down / SIDE
    matrix = torch.stack([torch.stack([cos, -sin, sin * y - cos * x], 1), torch.stack([sin, cos, -sin * x - cos * y], 1)], 1)
    flat = torch.from_numpy(shown).flatten(1, 2)
    grid = F.affine_grid(matrix, list(flat.shape), align_corners=False)
    return F.grid_sample(flat, grid, align_corners=False).reshape(shown.shape).numpy()

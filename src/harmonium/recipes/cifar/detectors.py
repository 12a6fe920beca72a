"""Which filters of colour patches are localised detectors of edges, stripes or colours: those that one Gabor function or one spot explains.

A filter of three colours is compared with w[c, p] = a[c] e(p) + b[c] o(p), where e and o are the even and the odd part of a Gabor function
(a Gaussian window times a cosine or a sine), or the centre and the surround of a spot (a narrow and a wide Gaussian). Each colour has its
own a and b, by least squares in closed form. Place, size, direction and frequency are searched for over a grid. The measure is the share of
the filter's square that the best of them explains. Of white noise on 8 x 8 pixels that is at most a fifth (see the tests), of Gabor
functions nearly all. Filters are measured one by one: that they differ from each other is not part of the measure.
"""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

KINDS = ("edge", "frequency", "colour", "other", "dead")
DETECTORS = KINDS[:3]
EXPLAINED = 0.5
"""The least share of a detector's square that the best function explains."""
DEAD = 0.1
"""A filter of less than this share of the median norm is dead."""
CYCLES = 2.0
"""Of stripes within twice the standard deviation of their window on both sides, at least; with fewer, it is an edge or a bar."""
COLOURED = 0.5
"""The least share of a colour detector's square that is no shade of grey."""
WINDOWS = ((0.8, 0.8), (0.8, 1.6), (1.2, 1.2), (1.2, 2.4), (2.0, 2.0), (2.0, 4.0), (4.0, 4.0))  # pixels, across and along the stripes
FREQUENCIES = (0.06, 0.12, 0.18, 0.25, 0.34, 0.45)  # cycles a pixel
DIRECTIONS, STEP = 12, 0.5  # over half a turn; pixels between two centres
SPOTS, SURROUND = (0.6, 0.9, 1.3, 2.0), 2.0  # pixels; how much wider the surround is
AT_ONCE = 4096  # functions compared at once


class Detectors(NamedTuple):
    """What each filter is.

    Attributes
    ----------
    kinds : list of str
        One of `KINDS` for each filter.
    explained : Tensor
        (filters,), the share of its square that the best function explains.
    """

    kinds: list[str]
    explained: Tensor

    @property
    def percent(self) -> float:
        """The share of the filters that are detectors."""
        return 100 * sum(kind in DETECTORS for kind in self.kinds) / len(self.kinds)

    def by_kind(self) -> dict[str, int]:
        """How many filters are of each kind."""
        return {kind: self.kinds.count(kind) for kind in KINDS}


def detectors(weight: Tensor, side: int) -> Detectors:
    """What each filter is.

    Parameters
    ----------
    weight
        (3 · side², filters), the planes of red, green and blue row by row.
    side
        Pixels of a patch's side.

    Raises
    ------
    ValueError
        For weights of another shape.
    """
    if weight.dim() != 2 or len(weight) != 3 * side**2 or not weight.shape[1]:
        raise ValueError(f"filters of {side} x {side} pixels of three colours are ({3 * side**2}, filters), found {tuple(weight.shape)}")
    planes = weight.detach().float().T.reshape(-1, 3, side**2)
    square = planes.square().sum((1, 2))
    functions, cycles = dictionary(side)
    least = torch.finfo(square.dtype).tiny
    best, which = torch.zeros(len(planes)), torch.zeros(len(planes), dtype=torch.long)
    for start in range(0, len(functions), AT_ONCE):
        some = functions[start : start + AT_ONCE]
        found = (planes.flatten(0, 1) @ some.flatten(0, 1).T).square_().reshape(len(planes), 3, len(some), 2).sum((1, 3))
        value, place = found.max(1)
        which = torch.where(value > best, place + start, which)
        best = torch.maximum(best, value)
    explained = best / square.clamp_min(least)
    grey = planes.mean(1).square().sum(1) * 3 / square.clamp_min(least)
    dead = square.sqrt() <= DEAD * square.sqrt().median()
    kinds = [
        _kind(bool(dead[each]), float(explained[each]), float(1 - grey[each]), float(cycles[which[each]])) for each in range(len(planes))
    ]
    return Detectors(kinds, explained)


def _kind(dead: bool, explained: float, coloured: float, cycles: float) -> str:
    if dead:
        return "dead"
    if explained < EXPLAINED:
        return "other"
    if coloured >= COLOURED:
        return "colour"
    return "frequency" if cycles >= CYCLES else "edge"


@cache
def dictionary(side: int) -> tuple[Tensor, Tensor]:
    """The pairs of functions, orthonormal, (functions, 2, side²), and the cycles of each within its window, (functions,)."""
    axis = torch.arange(side, dtype=torch.float64)
    down, across = (each.flatten() for each in torch.meshgrid(axis, axis, indexing="ij"))
    centres = torch.arange(0, side - 1 + STEP, STEP, dtype=torch.float64)
    y, x = (each.flatten()[:, None] for each in torch.meshgrid(centres, centres, indexing="ij"))
    pairs, cycles = [], []
    for (width, length), turn, frequency in itertools.product(WINDOWS, range(DIRECTIONS), FREQUENCIES):
        angle = math.pi * turn / DIRECTIONS
        wave = (across - x) * math.cos(angle) + (down - y) * math.sin(angle)
        along = (down - y) * math.cos(angle) - (across - x) * math.sin(angle)
        window = torch.exp(-0.5 * ((wave / width).square() + (along / length).square()))
        phase = 2 * math.pi * frequency * wave
        pairs.append(torch.stack([window * phase.cos(), window * phase.sin()], 1))
        cycles.append(4 * width * frequency)
    for size in SPOTS:
        far = (across - x).square() + (down - y).square()
        pairs.append(torch.stack([torch.exp(-0.5 * far / wide**2) for wide in (size, SURROUND * size)], 1))
        cycles.append(0.0)
    return _orthonormal(torch.cat(pairs)).float(), torch.tensor(cycles).repeat_interleave(len(x))


def _orthonormal(pairs: Tensor) -> Tensor:
    """Gram and Schmidt's, with zeros for a second function that is next to nothing beside the first."""
    first, second = pairs.unbind(1)
    first = first / first.norm(dim=1, keepdim=True)
    rest = second - (second * first).sum(1, keepdim=True) * first
    size = rest.norm(dim=1, keepdim=True)
    return torch.stack([first, torch.where(size > 0.01, rest / size.clamp_min(0.01), 0.0)], 1)

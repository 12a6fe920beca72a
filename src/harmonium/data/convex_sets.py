"""Convex against other regions, as in Larochelle et al. (2007)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.varied_digits import SIDE
from harmonium.seeds import derive

CONVEX_PLANES = (2, 5)  # half-planes whose intersection is a convex region: at least, and at most
PART_PLANES = (4, 7)  # of each part of a region that is not convex
PARTS = (2, 3)
SMALLEST, SMALLEST_PART = 80, 20  # pixels of a region, and of a part
FAR = 10_000  # columns, beyond any image


def regions(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """White regions on black: images (count, 28, 28) of 0 and 1, and labels (count,), 1 for a convex region.

    A convex region is the intersection of random half-planes. A region that is not convex is a union of such intersections; unions that are
    convex are left out. Classes are equally probable, and their regions have as many pixels on average to within a few per cent.
    """
    generator = torch.Generator().manual_seed(derive(seed, 8))
    labels = torch.randint(2, (count,), generator=generator)
    images = torch.empty(count, SIDE, SIDE)
    for convex, place in ((True, labels == 1), (False, labels == 0)):
        images[place] = _of_kind(int(place.sum()), convex, generator).float()
    return images, labels


def _of_kind(count: int, convex: bool, generator: torch.Generator) -> Tensor:
    found = torch.empty(0, SIDE, SIDE, dtype=torch.bool)
    while len(found) < count:
        if convex:
            some = intersections(count, CONVEX_PLANES, SMALLEST, generator)
        else:
            some = unions(min(BLOCK, count + 64), generator)
            some = some[~is_convex(some) & (some.sum((1, 2)) >= SMALLEST)]
        found = torch.cat([found, some])
    return found[:count]


def intersections(count: int, planes: tuple[int, int], smallest: int, generator: torch.Generator) -> Tensor:
    """Intersections of random half-planes: (count, 28, 28) bool.

    Parameters
    ----------
    count : int
        Number of them.
    planes : tuple of int
        How many half-planes each has, at least and at most; their number is uniform between. The edge of a half-plane goes through a point
        that is uniform over the image, in a direction that is uniform over the circle.
    smallest : int
        Pixels that each has at least.
    generator : torch.Generator
        The source of the draws.
    """
    place = torch.arange(SIDE, dtype=torch.float32)
    found = torch.empty(0, SIDE, SIDE, dtype=torch.bool)
    while len(found) < count:
        tried = min(BLOCK, 2 * count + 64)
        number = torch.randint(planes[0], planes[1] + 1, (tried, 1, 1), generator=generator)
        some = torch.ones(tried, SIDE, SIDE, dtype=torch.bool)
        for plane in range(planes[1]):
            row, column, angle = (torch.rand(3, tried, generator=generator) - torch.tensor([[0.0], [0.0], [0.5]])).unsqueeze(2)
            row, column, angle = SIDE * row - 0.5, SIDE * column - 0.5, 2 * math.pi * angle
            beyond = (angle.cos() * (place - row)).unsqueeze(2) + (angle.sin() * (place - column)).unsqueeze(1)
            some &= (beyond >= 0) | (plane >= number)
        found = torch.cat([found, some[some.sum((1, 2)) >= smallest]])
    return found[:count]


def unions(count: int, generator: torch.Generator) -> Tensor:
    """Unions of such intersections, convex or not: (count, 28, 28) bool."""
    number = torch.randint(PARTS[0], PARTS[1] + 1, (count, 1, 1), generator=generator)
    found = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    for part in range(PARTS[1]):
        found |= intersections(count, PART_PLANES, SMALLEST_PART, generator) & (part < number)
    return found


def is_convex(sets: Tensor) -> Tensor:
    """Whether no row between a set's pixels is empty, and no other pixel's centre lies in the convex hull of theirs: (cases,) bool.

    Parameters
    ----------
    sets : torch.Tensor
        (cases, height, width) bool.

    Notes
    -----
    In integers, and so exact: a row of the hull reaches from the least to the greatest column of all chords between pixels above and below.
    """
    width = sets.shape[2]
    columns = torch.arange(width)
    occupied = sets.any(2)
    left = torch.where(sets, columns, FAR).amin(2)
    right = torch.where(sets, columns, -FAR).amax(2)
    solid = ((right - left + 1 == sets.sum(2)) | ~occupied).all(1)
    rows = torch.arange(sets.shape[1])
    between = torch.where(occupied, rows, FAR).amin(1, keepdim=True) < rows
    between &= rows < torch.where(occupied, rows, -1).amax(1, keepdim=True)
    found = solid & (occupied | ~between).all(1)
    left, right, occupied = left[found], right[found], occupied[found]  # the others need no hull
    found[found.clone()] = _hull_ends_here(left, occupied) & _hull_ends_here(width - 1 - right, occupied)
    return found


def _hull_ends_here(edge: Tensor, occupied: Tensor) -> Tensor:
    """Whether the pixel beside the first one of each row is outside the hull. `edge`: (cases, height), the first one's column."""
    found = torch.ones(len(edge), dtype=torch.bool)
    for top in range(edge.shape[1]):
        for bottom in range(top + 2, edge.shape[1]):
            rows = torch.arange(top + 1, bottom)
            chord = edge[:, top, None] * (bottom - rows) + edge[:, bottom, None] * (rows - top)  # times bottom - top
            reached = (edge[:, rows] - 1) * (bottom - top) >= chord
            both = occupied[:, top] & occupied[:, bottom]
            found &= ~(reached & occupied[:, rows]).any(1) | ~both
    return found

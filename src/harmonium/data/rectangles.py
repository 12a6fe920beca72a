"""Wide against tall rectangles, as in Larochelle et al. (2007)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data import natural_images
from harmonium.data.varied_digits import SIDE, textured
from harmonium.seeds import derive


class Sizes(NamedTuple):
    """Which rectangles there are: sides are uniform from `shortest` to 28, and others than these are drawn again.

    Attributes
    ----------
    shortest : int
        Pixels of a side at least.
    difference : int
        Pixels by which the sides of one rectangle differ at least.
    areas : tuple of float
        Its least and its greatest share of the image.
    """

    shortest: int
    difference: int
    areas: tuple[float, float]

    def fit(self, heights: Tensor, widths: Tensor) -> Tensor:
        """Which of these there are."""
        low, high = (share * SIDE**2 for share in self.areas)
        areas = heights * widths
        return ((heights - widths).abs() >= self.difference) & (areas >= low) & (areas <= high)


OUTLINES = Sizes(shortest=1, difference=3, areas=(0.0, 1.0))
FILLED = Sizes(shortest=10, difference=5, areas=(0.25, 0.75))


class Rectangles(NamedTuple):
    """Rectangles by their top left pixel and their sides, (cases,) int64 each."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor

    @property
    def wide(self) -> Tensor:
        """The labels: 1 if wider than tall, else 0."""
        return (self.width > self.height).long()

    def inside(self, less: int = 0) -> Tensor:
        """The pixels of the rectangles, (cases, 28, 28) bool; `less`: without so many pixels along each side."""
        place = torch.arange(SIDE)
        down, across = (
            (place >= first.unsqueeze(1) + less) & (place < (first + length).unsqueeze(1) - less)
            for first, length in ((self.top, self.height), (self.left, self.width))
        )
        return down.unsqueeze(2) & across.unsqueeze(1)


def drawn(count: int, sizes: Sizes, seed: int) -> Rectangles:
    """Random rectangles of these sizes, anywhere inside the image alike."""
    generator = torch.Generator().manual_seed(seed)
    heights, widths = torch.empty(2, 0, dtype=torch.int64)
    while len(heights) < count:
        some = torch.randint(sizes.shortest, SIDE + 1, (2, 2 * count), generator=generator)
        some = some[:, sizes.fit(*some)]
        heights, widths = torch.cat([heights, some[0]])[:count], torch.cat([widths, some[1]])[:count]
    top, left = ((torch.rand(count, generator=generator) * (SIDE - sides + 1)).long() for sides in (heights, widths))
    return Rectangles(top, left, heights, widths)


def outlines(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """White outlines, 1 pixel thick, on black: images (count, 28, 28) of 0 and 1, and labels (count,)."""
    found = drawn(count, OUTLINES, derive(seed, 4))
    return (found.inside() & ~found.inside(less=1)).float(), found.wide


def filled(count: int, seed: int, data_dir: str | Path | None) -> tuple[Tensor, Tensor]:
    """One textured patch of a photograph inside the rectangle, and another outside: images (count, 28, 28) from 0 to 1, and labels."""
    return filled_from(natural_images.load(data_dir), count, seed)


def filled_from(photographs: Sequence[Tensor], count: int, seed: int) -> tuple[Tensor, Tensor]:
    """As `filled`, of these photographs, (height, width) uint8 each."""
    found = drawn(count, FILLED, derive(seed, 5))
    inside, outside = (textured(photographs, count, derive(seed, purpose)) for purpose in (6, 7))
    return torch.where(found.inside(), inside, outside), found.wide

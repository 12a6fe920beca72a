"""Structured noise for images: strokes, a grid, a block, a border, and salt and pepper.

Each kind is a small dataclass, called with images: `Strokes(count=4, width=2)(images, shape=(28, 28), seed=0)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
Pixels = NDArray[np.bool_]  # (height, width)


class Noise(ABC):
    """Pixels that are overwritten, and with what: fixed beforehand by a seed, whatever the image.

    The noise of a case depends on the seed and the case's number alone, so that it is the same in whatever company the case is seen.
    """

    @abstractmethod
    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        """Which pixels of one image are overwritten, and which of these with ink (the others become ground): (height, width) each.

        ValueError where the shape has no room for the noise.
        """

    def __call__(self, images: Tensor, *, shape: tuple[int, int] = (28, 28), seed: int = 0, first: int = 0) -> Tensor:
        """New images of the same type under this noise: (cases, pixels).

        Args:
            images: (cases, pixels), each row by row; uint8 grey from 0 (ground) to 255 (ink), probabilities of ink from 0 to 1 of any
                floating-point type, or bool.
            shape: (height, width) of an image; height x width = pixels.
            seed: of the noise.
            first: the number of the first case, for images that are the rows from `first` on of a larger set.

        Raises:
            TypeError: the images are no tensor of one of these types.
            ValueError: they have another shape or no cases, or floating-point values that are no probabilities; or the shape has no
                room for the noise.
        """
        _check(images, shape)
        where, ink = (part.to(images.device) for part in self._drawn(len(images), shape, seed, first))
        level = 255 if images.dtype == torch.uint8 else 1
        return torch.where(where, (level * ink).to(images.dtype), images)

    def mask(self, cases: int, *, shape: tuple[int, int] = (28, 28), seed: int = 0, first: int = 0) -> Tensor:
        """The pixels that are overwritten in as many cases, (cases, pixels) bool, even where they become what they were before."""
        return self._drawn(cases, shape, seed, first)[0]

    def _drawn(self, cases: int, shape: tuple[int, int], seed: int, first: int) -> tuple[Tensor, Tensor]:
        if cases < 1 or first < 0 or seed < 0:
            raise ValueError(f"noise is of at least one case, their numbers and the seed from 0 on; found {cases=}, {first=}, {seed=}")
        pairs = np.empty((2, cases, *shape), dtype=np.bool_)
        for case in range(cases):
            pairs[:, case] = self.overwrite(shape, np.random.default_rng([seed, first + case]))
        where, ink = torch.from_numpy(pairs.reshape(2, cases, -1))
        return where, ink


@dataclass(frozen=True)
class Strokes(Noise):
    """Straight strokes of full ink from one side of the image to another.

    Each goes through a point that is uniform over the image, at an angle that is uniform from 0 to 180 degrees, and covers the pixels
    whose centres are less than half the width from that line: level or upright, exactly `width` rows or columns, unless it runs along
    the edge of the image.
    """

    count: int = 4
    width: float = 2.0  # in pixels

    def __post_init__(self) -> None:
        if self.count < 1 or not self.width >= 1:
            raise ValueError(f"strokes are at least one, at least 1 pixel wide, found {self}")

    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        where = np.zeros(shape, dtype=np.bool_)
        for _ in range(self.count):
            row, column = generator.random(2) * shape - 0.5
            angle = np.pi * generator.random()
            distance = (columns - column) * np.sin(angle) - (rows - row) * np.cos(angle)
            # One side closed and one open, so that no line lies so that it covers one pixel more.
            where |= (distance >= -self.width / 2) & (distance < self.width / 2)
        return where, where


@dataclass(frozen=True)
class Grid(Noise):
    """Upright and level lines of full ink, 1 pixel wide, a period apart; each case's phase is random, across and down by itself."""

    period: int = 7

    def __post_init__(self) -> None:
        if self.period < 2:
            raise ValueError(f"the lines of a grid are at least 2 pixels apart, found {self}")

    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        down, across = generator.integers(self.period, size=2)
        where = np.zeros(shape, dtype=np.bool_)
        where[down :: self.period] = True
        where[:, across :: self.period] = True
        return where, where


@dataclass(frozen=True)
class Block(Noise):
    """A square of full ink, `size` pixels a side, at a place that is uniform over those where all of it is inside the image."""

    size: int = 8

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a block is at least 1 pixel wide, found {self}")

    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        if self.size > min(shape):
            raise ValueError(f"a block of {self.size} by {self.size} pixels does not fit into an image of {shape[0]} by {shape[1]}")
        row, column = generator.integers([side - self.size + 1 for side in shape])
        where = np.zeros(shape, dtype=np.bool_)
        where[row : row + self.size, column : column + self.size] = True
        return where, where


@dataclass(frozen=True)
class Border(Noise):
    """A frame of full ink, `width` pixels wide, along the image's edges: the same for every case and seed."""

    width: int = 3

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"a border is at least 1 pixel wide, found {self}")

    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        if 2 * self.width >= min(shape):
            raise ValueError(f"a border of {self.width} pixels leaves nothing of an image of {shape[0]} by {shape[1]}")
        where = np.ones(shape, dtype=np.bool_)
        where[self.width : -self.width, self.width : -self.width] = False
        return where, where


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Each pixel, with probability `share` and independently, becomes ground or full ink, either as likely."""

    share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"the share of pixels that are overwritten is above 0 and at most 1, found {self}")

    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        drawn = generator.random(shape)
        return drawn < self.share, drawn < self.share / 2


def _check(images: Any, shape: tuple[int, int]) -> None:
    if not isinstance(images, Tensor) or images.dtype not in (torch.uint8, torch.bool, *_FLOATS):
        found = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"noise is put on a tensor of uint8 grey levels, probabilities or booleans, not {found}")
    if len(shape) != 2 or min(shape) < 1 or images.dim() != 2 or images.shape[1] != shape[0] * shape[1] or not len(images):
        raise ValueError(
            f"images of shape {tuple(shape)} are (cases, height x width), at least one case, found {tuple(images.shape)}; "
            "shape= says what an image's height and width are"
        )
    if images.is_floating_point():
        low, high = (value.item() for value in images.aminmax())  # NaN if any value is
        if not (low >= 0 and high <= 1):
            raise ValueError(f"floating-point images are probabilities of ink from 0 to 1, found {low:g} to {high:g}")

"""Structured noise for images: strokes, a grid, a block, a border, and salt and pepper.

Each kind is a small dataclass that is called with images: `Strokes(count=4, width=2)(images, shape=(28, 28), seed=0)`.
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
    """Noise that overwrites pixels with ink or ground, determined by a seed and not by the image.

    The noise of a case depends on the seed and the case's number alone, not on the other cases of a call.
    """

    @abstractmethod
    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        """Which pixels of one image are overwritten, and which of these with ink (the others become ground).

        Parameters
        ----------
        shape : tuple of int
            (height, width) of the image.
        generator : numpy.random.Generator
            The source of randomness.

        Returns
        -------
        where, ink : numpy.ndarray
            (height, width) bool each.

        Raises
        ------
        ValueError
            For a shape without room for the noise.
        """

    def __call__(self, images: Tensor, *, shape: tuple[int, int] = (28, 28), seed: int = 0, first: int = 0) -> Tensor:
        """New images of the same type with this noise.

        Parameters
        ----------
        images : torch.Tensor
            (cases, pixels), each image row by row; uint8 grey from 0 (ground) to 255 (ink), probabilities of ink from 0 to 1 of any
            floating-point type, or bool.
        shape : tuple of int
            (height, width) of an image; height x width = pixels.
        seed : int
            The seed of the noise.
        first : int
            The number of the first case, for images that are the rows from `first` on of a larger set.

        Returns
        -------
        torch.Tensor
            (cases, pixels).

        Raises
        ------
        TypeError
            For images that are not a tensor of one of these types.
        ValueError
            For images of another shape or without cases, for floating-point values that are not probabilities, and for a shape without room
            for the noise.
        """
        _check(images, shape)
        where, ink = (part.to(images.device) for part in self._drawn(len(images), shape, seed, first))
        level = 255 if images.dtype == torch.uint8 else 1
        return torch.where(where, (level * ink).to(images.dtype), images)

    def mask(self, cases: int, *, shape: tuple[int, int] = (28, 28), seed: int = 0, first: int = 0) -> Tensor:
        """The pixels that the noise overwrites, (cases, pixels) bool, including those that keep their value.

        Parameters
        ----------
        cases : int
            Number of cases.
        shape : tuple of int, default (28, 28)
            (height, width) of an image.
        seed : int, default 0
            The seed of the noise.
        first : int, default 0
            The number of the first case.

        Raises
        ------
        ValueError
            For fewer than one case, a negative seed or case number, and a shape without room for the noise.
        """
        return self._drawn(cases, shape, seed, first)[0]

    def _drawn(self, cases: int, shape: tuple[int, int], seed: int, first: int) -> tuple[Tensor, Tensor]:
        if cases < 1 or first < 0 or seed < 0:
            raise ValueError(f"noise needs at least one case, and a case number and a seed of 0 or more; found {cases=}, {first=}, {seed=}")
        pairs = np.empty((2, cases, *shape), dtype=np.bool_)
        for case in range(cases):
            pairs[:, case] = self.overwrite(shape, np.random.default_rng([seed, first + case]))
        where, ink = torch.from_numpy(pairs.reshape(2, cases, -1))
        return where, ink


@dataclass(frozen=True)
class Strokes(Noise):
    """Straight strokes of full ink from one side of the image to another.

    Each stroke passes through a point that is uniform over the image, at an angle that is uniform from 0 to 180 degrees. It covers the
    pixels whose centres are less than half the width from that line. A horizontal or vertical stroke covers exactly `width` rows or
    columns, unless it runs along the edge of the image.

    Parameters
    ----------
    count : int
        The number of strokes, at least one.
    width : float
        In pixels, at least 1.

    Examples
    --------
    >>> import torch
    >>> from harmonium.data.noise import Strokes
    >>> images = torch.zeros(2, 784, dtype=torch.uint8)
    >>> noisy = Strokes(count=4, width=2)(images, shape=(28, 28), seed=0)
    >>> noisy.shape, noisy.unique()
    (torch.Size([2, 784]), tensor([  0, 255], dtype=torch.uint8))
    """

    count: int = 4
    width: float = 2.0  # in pixels

    def __post_init__(self) -> None:
        if self.count < 1 or not self.width >= 1:
            raise ValueError(f"expected at least one stroke, at least 1 pixel wide, found {self}")

    def overwrite(self, shape: tuple[int, int], generator: np.random.Generator) -> tuple[Pixels, Pixels]:
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        where = np.zeros(shape, dtype=np.bool_)
        for _ in range(self.count):
            row, column = generator.random(2) * shape - 0.5
            angle = np.pi * generator.random()
            distance = (columns - column) * np.sin(angle) - (rows - row) * np.cos(angle)
            # One side is closed and one open, so that no line covers one pixel too many.
            where |= (distance >= -self.width / 2) & (distance < self.width / 2)
        return where, where


@dataclass(frozen=True)
class Grid(Noise):
    """Vertical and horizontal lines of full ink, 1 pixel wide and one period apart.

    The phase of each case is random, independently across and down.

    Parameters
    ----------
    period : int
        In pixels, at least 2.
    """

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
    """A square of full ink at a random place, uniform over the places where all of it is inside the image.

    Parameters
    ----------
    size : int
        The side of the square, in pixels.
    """

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
    """A frame of full ink along the edges of the image, the same for every case and seed.

    Parameters
    ----------
    width : int
        In pixels.
    """

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
    """Salt and pepper: pixels become ground or full ink at random, with equal probability.

    Parameters
    ----------
    share : float
        The probability, independent for each pixel, that it is overwritten; above 0 and at most 1.
    """

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

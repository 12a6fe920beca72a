"""Digits turned and laid over backgrounds, as in Larochelle et al. (2007)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from harmonium.data import mnist, natural_images
from harmonium.data.batches import BLOCK
from harmonium.data.patches import patches
from harmonium.data.warp import rotated
from harmonium.seeds import derive

SIDE = 28
LEAST_DEVIATION = 0.1  # of a patch's pixels, whose grey goes from 0 to 1; the paper leaves out patches "of low variance"


def digits(count: int, seed: int, data_dir: str | Path | None) -> tuple[Tensor, Tensor]:
    """Some of MNIST's 70,000 digits in random order: (count, 28, 28) float32 from 0 to 1, and (count,) labels."""
    data = mnist.load(data_dir)
    images, labels = torch.cat([data.train_images, data.test_images]), torch.cat([data.train_labels, data.test_labels])
    if count > len(images):
        raise ValueError(f"MNIST has {len(images)} digits, and {count} were asked for: give fewer cases=")
    chosen = torch.randperm(len(images), generator=_generator(seed, 0))[:count]
    return images[chosen].reshape(-1, SIDE, SIDE).float() / 255, labels[chosen]


def turned(images: Tensor, seed: int) -> Tensor:
    """Each image turned by an angle of its own, uniform from 0 to 2 pi: (cases, 28, 28)."""
    angles = angles_of(len(images), seed)
    blocks = zip(torch.split(images, BLOCK), torch.split(angles, BLOCK), strict=True)
    return torch.cat([rotated(block, here).clamp_(0, 1) for block, here in blocks])


def angles_of(count: int, seed: int) -> Tensor:
    """The angles of `turned`, in radians: (count,)."""
    return 2 * math.pi * torch.rand(count, generator=_generator(seed, 1))


def over_noise(images: Tensor, seed: int) -> Tensor:
    """Each image over pixels that are uniform from black to white, independently: (cases, 28, 28)."""
    return torch.maximum(images, torch.rand(images.shape, generator=_generator(seed, 2)))


def over_photographs(images: Tensor, seed: int, data_dir: str | Path | None) -> Tensor:
    """Each image over a textured patch of the photographs of `hm.data.natural_images`: (cases, 28, 28)."""
    return torch.maximum(images, textured(natural_images.load(data_dir), len(images), derive(seed, 3)))


def textured(photographs: Sequence[Tensor], count: int, seed: int, size: int = SIDE) -> Tensor:
    """Patches at random places of random photographs, without those whose pixels deviate by less than `LEAST_DEVIATION`.

    Parameters
    ----------
    photographs : sequence of torch.Tensor
        (height, width) uint8 each.
    count : int
        Number of patches.
    seed : int
        Seed of the draws.
    size : int
        The side of a patch.

    Returns
    -------
    torch.Tensor
        (count, size, size) float32, from 0 to 1.

    Raises
    ------
    ValueError
        For photographs that have hardly any texture.
    """
    found, left, number = [], count, 0
    while left > 0:
        tried = min(4 * BLOCK, 2 * left + 64)
        drawn = patches(photographs, size, tried, seed=derive(seed, number)).float() / 255
        drawn = drawn[drawn.std(1, correction=0) >= LEAST_DEVIATION]
        if len(drawn) < tried / 100:
            raise ValueError(f"the photographs have too little texture: of {tried} patches only {len(drawn)} have enough of it")
        found.append(drawn[:left])
        left, number = left - len(found[-1]), number + 1
    return torch.cat(found).reshape(-1, size, size)


def _generator(seed: int, purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed(derive(seed, purpose))

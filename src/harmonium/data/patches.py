"""Patches of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor

LAST = "; for images with channels last use image.permute(2, 0, 1)"
CHANNELS = 4  # most of an image whose last axis may be that of its colours


def patches(images: Sequence[Any] | Tensor, size: int, count: int, *, seed: int = 0) -> Tensor:
    """Draw square patches, each at a random place of a random image.

    All images are equally probable, and so are all places of an image. Patches for training and for testing should come from different
    images.

    Parameters
    ----------
    images : sequence of Tensor or array, or Tensor
        Grey images (height, width), or colour images (channels, height, width), of any numeric type. Their sizes may differ.
    size : int
        The side of a patch, in pixels.
    count : int
        The number of patches.
    seed : int, default 0
        Seed of the draws.

    Returns
    -------
    Tensor
        (count, size²) or, for colour images, (count, channels · size²), of the images' type: one channel after the other, each row by row.

    Raises
    ------
    ValueError
        For an image that is smaller than a patch, for images of different channels or types, and for fewer than one patch.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> grey, colour = torch.rand(40, 50), torch.rand(3, 40, 50)
    >>> hm.data.patches([grey], 8, 100).shape, hm.data.patches([colour], 8, 100).shape
    (torch.Size([100, 64]), torch.Size([100, 192]))
    """
    found = [as_tensor(image) for image in images]
    kinds = {(tuple(image.shape[:-2]), image.dtype) for image in found}
    if len(kinds) != 1 or any(image.dim() not in (2, 3) for image in found):
        raise ValueError(
            "expected images of shape (height, width) or (channels, height, width), of one type and number of channels, found "
            f"{sorted({f'{tuple(image.shape)} of {image.dtype}' for image in found}) or 'none'}{LAST}"
        )
    smallest = min(min(image.shape[-2:]) for image in found)
    if not 1 <= size <= smallest:
        last = LAST if found[0].dim() == 3 and found[0].shape[-1] <= CHANNELS else ""
        raise ValueError(f"patches of {size} x {size} do not fit into these images: expected a size from 1 to {smallest}{last}")
    if count < 1:
        raise ValueError(f"expected at least one patch, found count={count}")
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(len(found), (count,), generator=generator)
    drawn = torch.empty(count, *found[0].shape[:-2], size, size, dtype=found[0].dtype)
    for index, image in enumerate(found):
        here = (which == index).nonzero().flatten()
        top, left = (torch.randint(length - size + 1, (len(here),), generator=generator) for length in image.shape[-2:])
        windows = image.unfold(-2, size, 1).unfold(-2, size, 1)  # (..., places down, places across, size, size)
        drawn[here] = windows[..., top, left, :, :].movedim(-3, 0).to(drawn)
    return drawn.flatten(1)


def without_mean(rows: Any) -> Tensor:
    """Subtract from each case its own mean: the brightness of a patch.

    Parameters
    ----------
    rows : Tensor or array
        (cases, *shape).

    Returns
    -------
    Tensor
        (cases, *shape), floating point.

    Raises
    ------
    ValueError
        For a single vector, which has no axis of cases.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hm.data.without_mean(torch.tensor([[1, 2, 3]]))
    tensor([[-1.,  0.,  1.]])
    """
    data = as_tensor(rows)
    if data.dim() < 2:
        raise ValueError(f"expected rows of shape (cases, ...), found {tuple(data.shape)}")
    data = data if data.is_floating_point() else data.float()
    found: Tensor = data - data.flatten(1).mean(1).reshape(-1, *[1] * (data.dim() - 1))
    return found

"""Images seen through moved coordinates: resampling and rotation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def resampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The images' values at other places, between pixels by bilinear interpolation; outside an image is 0.

    Parameters
    ----------
    images : torch.Tensor
        (cases, height, width) floating point.
    rows, columns : torch.Tensor
        (cases, down, across) each: where each new pixel looks, in pixels. The centre of the first pixel is (0, 0).

    Returns
    -------
    torch.Tensor
        (cases, down, across).
    """
    height, width = images.shape[-2:]
    # grid_sample's coordinates run from -1 to 1 between the outer edges of the outer pixels.
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return F.grid_sample(images.unsqueeze(1), grid, mode="bilinear", padding_mode="zeros", align_corners=False).squeeze(1)


def rotated(images: Tensor, angles: Tensor) -> Tensor:
    """The images turned about their centres.

    Parameters
    ----------
    images : torch.Tensor
        (cases, height, width) floating point.
    angles : torch.Tensor
        (cases,) in radians, anticlockwise.

    Returns
    -------
    torch.Tensor
        (cases, height, width). What turns out of the image is lost, and what turns in is 0.
    """
    height, width = images.shape[-2:]
    down = torch.arange(height, dtype=images.dtype, device=images.device).unsqueeze(1) - (height - 1) / 2
    across = torch.arange(width, dtype=images.dtype, device=images.device) - (width - 1) / 2
    cos, sin = (part.reshape(-1, 1, 1) for part in (angles.cos(), angles.sin()))
    # A pixel of the turned image looks at the place that the turn has brought there: rows count downwards.
    rows = cos * down + sin * across + (height - 1) / 2
    columns = cos * across - sin * down + (width - 1) / 2
    return resampled(images, rows, columns)

"""What a toy is recognised from, before anything is learnt: its pixels, and its silhouette."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.data.eth80 import SIDE, Views

REDUCED = 32  # pixels of a side


def reduced(views: Views) -> Tensor:
    """Log intensities, zero off the toy, as means of squares of pixels: (views, 32²)."""
    return means_of_squares(torch.log1p(views.images.float()) * views.masks)


def silhouettes(views: Views) -> Tensor:
    """The share of each square that the toy covers: (views, 32²)."""
    return means_of_squares(views.masks.float())


def means_of_squares(images: Tensor) -> Tensor:
    """(views, 96²) -> (views, 32²)."""
    return F.avg_pool2d(images.reshape(-1, 1, SIDE, SIDE), SIDE // REDUCED).flatten(1)

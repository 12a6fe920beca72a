"""Views of toys made ready: small images, the sine and cosine of the azimuth, and toys divided into labelled, validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.data import eth80

ORIENTED = ("car", "cow", "cup", "dog", "horse")  # an apple looks alike from all sides
TEST, VALID = 3, 1  # toys of each category
FLOOR = 0.1  # grey: pixels that hardly vary are not blown up
LABELLED = eth80.TOYS - TEST - VALID  # at most


class Toys(NamedTuple):
    """All views, and which of them have a direction that can be told.

    Attributes
    ----------
    images : Tensor
        (3280, side²) float32, grey from 0 to 1, the background 0.
    inputs : Tensor
        (3280, side²) float32: each pixel less its mean over all views, divided by its standard deviation plus `FLOOR`.
    targets : Tensor
        (3280, 2) float32, the sine and cosine of the azimuth.
    oriented : Tensor
        (3280,) bool: views of `ORIENTED` toys, but not from straight above.
    categories, toys : Tensor
        (3280,) int64.
    side : int
        Of an image, in pixels.
    """

    images: Tensor
    inputs: Tensor
    targets: Tensor
    oriented: Tensor
    categories: Tensor
    toys: Tensor
    side: int


class Division(NamedTuple):
    """The numbers of the views of labelled toys, those to choose by, and those to judge by: (views,) int64 each."""

    labelled: Tensor
    valid: Tensor
    test: Tensor


def load(side: int, data_dir: Path | None) -> Toys:
    """The views as images of `side` pixels, the mean of each area; `side` divides 96."""
    views = eth80.load(data_dir)
    grey = (views.images * views.masks).reshape(-1, 1, eth80.SIDE, eth80.SIDE).float() / 255
    images = F.avg_pool2d(grey, eth80.SIDE // side).flatten(1)
    inputs = (images - images.mean(0)) / (images.std(0) + FLOOR)
    angle = views.azimuths.deg2rad()
    chosen = torch.tensor([views.names.index(name) for name in ORIENTED])
    oriented = torch.isin(views.categories, chosen) & (views.elevations > 0)
    return Toys(images, inputs, torch.stack([angle.sin(), angle.cos()], dim=1), oriented, views.categories, views.toys, side)


def divide(toys: Toys, count: int, seed: int) -> Division:
    """Of each oriented category `count` labelled toys, one to choose by, and three to judge by: no toy on two sides.

    With one seed the toys to judge and to choose by are the same whatever `count` is, and few labelled toys are among many.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = []
    for category in torch.unique(toys.categories[toys.oriented]).tolist():
        own = torch.unique(toys.toys[toys.categories == category])
        orders.append(own[torch.randperm(len(own), generator=generator)])
    order = torch.stack(orders)
    parts = (order[:, TEST + VALID : TEST + VALID + count], order[:, TEST : TEST + VALID], order[:, :TEST])
    return Division(*((toys.oriented & torch.isin(toys.toys, part.flatten())).nonzero().squeeze(1) for part in parts))


def degrees_off(outputs: Tensor, targets: Tensor) -> Tensor:
    """The angle between the direction that a net says and the true one, from 0 to 180 degrees: (cases,).

    `outputs`, `targets`: (cases, 2), sine and cosine; the length of an output does not matter.
    """
    said, true = (torch.atan2(each[:, 0].double(), each[:, 1].double()) for each in (outputs, targets))
    off = torch.rad2deg(said - true).abs() % 360
    return torch.minimum(off, 360 - off)

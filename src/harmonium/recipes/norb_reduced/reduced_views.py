"""Reduced images of toys, and which of them are learnt from."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data import toy_objects
from harmonium.data.norb import NAMES, TOYS, Norb, Pairs, reduced
from harmonium.recipes.shared.feature_layers import Split
from harmonium.seeds import derive

FEW = {"training": TOYS["training"][:2], "testing": TOYS["testing"][:1]}  # toys of a smoke run, of each category


class Views(NamedTuple):
    """Views of training toys and of test toys.

    Attributes
    ----------
    pixels : Tensor
        (views, 1024) float32, how much darker than the background, from 0 to 255: those of the training toys, then those of the others.
    categories, toys : Tensor
        (views,) int64, places in `NAMES`, and the number of the toy within its category.
    training : Tensor
        (views,) bool.
    """

    pixels: Tensor
    categories: Tensor
    toys: Tensor
    training: Tensor


def chosen(pairs: Norb, count: int, seed: int) -> Views:
    """So many views of each part, drawn at random without repeats, or all where there are fewer."""
    parts = [_chosen(part, count, derive(seed, number)) for number, part in enumerate(pairs)]
    pixels, categories, toys = (torch.cat(each) for each in zip(*parts, strict=True))
    return Views(pixels, categories, toys, torch.arange(len(pixels)) < len(parts[0][0]))


def _chosen(pairs: Pairs, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rows = torch.randperm(len(pairs.categories), generator=torch.Generator().manual_seed(seed))[:count]
    return reduced(pairs.images)[rows], pairs.categories[rows], pairs.toys[rows]


def drawn() -> Views:
    """Two views of few toy objects, for a smoke run."""
    facts = [(*toy, azimuth, part) for part, own in FEW.items() for toy in product(range(len(NAMES)), own) for azimuth in (40, 200)]
    pairs = torch.stack([toy_objects.render(NAMES[category], toy, 40, azimuth, 0) for category, toy, azimuth, _ in facts])
    categories, toys = (torch.tensor([fact[place] for fact in facts]) for place in range(2))
    return Views(reduced(pairs), categories, toys, torch.tensor([part == "training" for *_, part in facts]))


def held_out(views: Views, seed: int) -> Tensor:
    """(views,) bool: those of one of the training toys of each category, another one for each of a few seeds."""
    toys = torch.unique(views.toys[views.training])
    rows: Tensor = views.training & (views.toys == toys[seed % len(toys)])
    return rows


def split(views: Views, seed: int, *, tuning: bool) -> Split:
    """The views of training toys to learn from, and those of test toys to be judged on; for choosing settings, those of a training toy."""
    judged = held_out(views, seed) if tuning else ~views.training
    return Split(*(rows.nonzero().squeeze(1) for rows in (views.training & ~judged, judged)))

"""Views of NORB's toys as rows of pixels, which of them are learnt from, and by whom settings are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.norb import NAMES, TOYS, Norb, Pairs
from harmonium.recipes.shared.feature_layers import Split
from harmonium.seeds import derive


class Views(NamedTuple):
    """Views of training toys and of test toys.

    Attributes
    ----------
    pixels : Tensor
        (views, pixels) float32: those of the training toys, then those of the others.
    categories, toys : Tensor
        (views,) int64, places in `NAMES`, or 5 where there is no toy; and the number of the toy within its category.
    training : Tensor
        (views,) bool.
    """

    pixels: Tensor
    categories: Tensor
    toys: Tensor
    training: Tensor


def chosen(pairs: Norb, count: int, seed: int, smaller: Callable[[Any], Tensor]) -> Views:
    """So many views of each part, drawn at random without repeats, or all where there are fewer.

    Parameters
    ----------
    pairs
        All pairs.
    count
        Of each part.
    seed
        Of the draws.
    smaller
        Makes rows of pixels of some images: (pairs, 2, side, side) -> (pairs, pixels).
    """
    parts = [_chosen(part, count, derive(seed, number), smaller) for number, part in enumerate(pairs)]
    return joined(parts)


def _chosen(pairs: Pairs, count: int, seed: int, smaller: Callable[[Any], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    rows = torch.randperm(len(pairs.categories), generator=torch.Generator().manual_seed(seed))[:count]
    pixels = torch.cat([smaller(pairs.images[few.numpy()]) for few in torch.split(rows, BLOCK)])
    return pixels, pairs.categories[rows], pairs.toys[rows]


def joined(parts: list[tuple[Tensor, Tensor, Tensor]]) -> Views:
    """The pixels, categories and toys of either part as one.

    Views without a toy count as of the toys of their part by turns, so that a fifth of them is held out with each.
    """
    numbered = []
    for (_, categories, toys), of_part in zip(parts, TOYS.values(), strict=True):
        none = categories == len(NAMES)
        numbered.append(torch.where(none, torch.tensor(of_part)[none.cumsum(0) % len(of_part)], toys))
    pixels, categories, _ = (torch.cat(each) for each in zip(*parts, strict=True))
    return Views(pixels, categories, torch.cat(numbered), torch.arange(len(pixels)) < len(parts[0][0]))


def held_out(views: Views, seed: int) -> Tensor:
    """(views,) bool: those of one of the training toys of each category, another one for each of a few seeds."""
    toys = torch.unique(views.toys[views.training])
    rows: Tensor = views.training & (views.toys == toys[seed % len(toys)])
    return rows


def split(views: Views, seed: int, *, tuning: bool) -> Split:
    """The views of training toys to learn from, and those of test toys to be judged on; for choosing settings, those of a training toy."""
    judged = held_out(views, seed) if tuning else ~views.training
    return Split(*(rows.nonzero().squeeze(1) for rows in (views.training & ~judged, judged)))

"""The error of multinomial logistic regression on each representation of the toys, split by split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

import torch
from torch import Tensor

from harmonium.data.eth80 import CATEGORIES, Views
from harmonium.recipes.eth80.representations import reduced, silhouettes
from harmonium.recipes.shared.feature_layers import Features, Kind, Split, layers
from harmonium.recipes.shared.logistic_error import Readout, error_percent
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run
from harmonium.seeds import derive

ORDER = ("mask", "pixels", "random_layer_1", "random_layer_2", "binary_layer_1", "binary_layer_2", "layer_1", "layer_2")
LAST = ORDER[-1]
Errors = dict[str, list[float]]  # representation -> percent, one of each split


def representations(
    run: Run, views: Views, split: Split, how: Mapping[Kind, Features], name: str, seed: int
) -> Iterator[tuple[str, Tensor]]:
    """The name of each representation, in an order of its own, and all views in it.

    Parameters
    ----------
    run
        The folder of the run.
    views, split
        The photographs, and which of them are learnt from.
    how
        How the layers of each kind learn.
    name, seed
        Of the split.
    """
    pixels = reduced(views)
    yield "pixels", pixels
    yield "mask", silhouettes(views)
    kinds: tuple[tuple[str, Kind, bool], ...] = (("", "rectified", True), ("binary_", "binary", True), ("random_", "rectified", False))
    for place, (word, kind, learn) in enumerate(kinds):
        made = layers(run, kind, pixels, split, how[kind], name, derive(seed, place), learn=learn)
        yield from ((f"{word}layer_{above}", values) for above, values in enumerate(made, 1))


def errors(run: Run, views: Views, split: Split, how: Mapping[Kind, Features], readout: Readout, name: str, seed: int) -> dict[str, float]:
    """The share of the judged views that is taken for another category, in percent, by representation.

    Parameters
    ----------
    run, views, split, how, name, seed
        As for `representations`.
    readout
        The penalties of the logistic regression.
    """
    found = {}
    for what, values in representations(run, views, split, how, name, seed):
        penalty = readout.raw if what in ("pixels", "mask") else readout.features
        found[what] = error_percent(values, views.categories, split, penalty)
    return found


def metrics(found: Errors, judged_on: str) -> list[Metric]:
    """Mean errors over the splits with standard errors, and what others err more than the second rectified layer, split by split.

    Parameters
    ----------
    found
        Percentages of errors by representation, one of each split.
    judged_on
        What the names begin with, "test" or "validation".
    """
    rows: list[Metric] = []
    for what in (each for each in ORDER if each in found):
        mean, error = mean_and_error(found[what])
        rows += [(f"{judged_on}_error_percent_{what}", mean, "%"), (f"{judged_on}_error_percent_{what}_standard_error", error, "%")]
    for what in (each for each in ORDER if each in found and each != LAST):
        more, error = mean_and_error([theirs - own for theirs, own in zip(found[what], found[LAST], strict=True)])
        rows += [(f"{what}_less_{LAST}", more, "percentage points"), (f"{what}_less_{LAST}_standard_error", error, "percentage points")]
    return rows


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error, NaN of one value."""
    return fmean(values), stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def split_of(views: Views, held_out: int, seed: int) -> Split:
    """So many toys of each category to be judged on.

    Parameters
    ----------
    views
        All views.
    held_out, seed
        Toys of each category, from 1 to 9, and the seed of which.
    """
    return Split(*views.by_toy(held_out, seed=seed))


def few(split: Split, categories: Tensor, count: int) -> Split:
    """The first views of each category on both sides, for a smoke run.

    Parameters
    ----------
    split, categories
        The rows of the views on either side, and the category of each view, (views,).
    count
        Of each category on each side.
    """

    def first(rows: Tensor) -> Tensor:
        kinds = categories[rows]
        return torch.cat([rows[kinds == kind][:count] for kind in range(len(CATEGORIES))])

    return Split(*(first(rows) for rows in split))

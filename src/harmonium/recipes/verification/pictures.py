"""The pictures and tables of face verification: accuracies by fold, pairs, and filters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.recipes.verification.cropped_faces import SHAPE
from harmonium.report import Section, fantasies, filters
from harmonium.report.style import INK, LABEL, LINES, page, quiet

NAMES = {
    "rectified": "siamese net, rectified features",
    "binary": "siamese net, binary features",
    "convolutional": "siamese convolutional net, learnt metric",
    "eigenfaces": "eigenfaces",
    "pixels": "pixels",
    "rectified_untuned": "rectified features before tuning",
    "binary_untuned": "binary features before tuning",
}
SHOWN = 12  # pairs of either kind
Rows = Sequence[Mapping[str, float]]


def sections(rows: Rows, pairs: Tensor, same: Tensor, weights: Mapping[str, Tensor]) -> list[Section]:
    """The report's parts. `pairs`: (pairs, 2, pixels), of which `same` are of one person. `weights`: of each kind, (pixels, units)."""
    return [
        Section(
            "Accuracy",
            "The share of pairs of faces that are said rightly to be of one person or of two; half of the pairs are of one. A point is a "
            "fold, with three people that nothing was learnt from, the line the mean.",
            [(by_fold(rows), "percent right in each fold")],
            table(rows),
        ),
        Section(
            "Pairs",
            figures=[(shown(pairs, same), "pairs of the first fold, one above the other: two rows of one person, then two of two")],
        ),
        Section(
            "Features",
            "What hidden units look for, as it was learnt without labels in the first fold.",
            [(filters(weight[:, :100], SHAPE), f"{kind} units") for kind, weight in weights.items()],
        ),
    ]


def table(rows: Rows) -> list[dict[str, object]]:
    """A row of each way to judge: the mean over the folds, its standard error, and what the rectified net has more in the same folds."""
    found: list[dict[str, object]] = []
    for key, name in NAMES.items():
        less = [row["rectified"] - row[key] for row in rows]
        found.append({"by": name, "right %": spread([row[key] for row in rows]), "less than the rectified net": spread(less)})
    return found


def spread(values: Sequence[float]) -> str:
    """Mean ± standard error."""
    return f"{fmean(values):.2f}" + (f" ± {stdev(values) / math.sqrt(len(values)):.2f}" if len(values) > 1 else "")


def by_fold(rows: Rows) -> Figure:
    """Accuracies of each way to judge."""
    height = 3.0
    figure, head = page(7.0, height, None)
    axes = figure.add_axes((0.42, 0.17, 0.53, (height - 0.7) / (height + head)))
    quiet(axes)
    for place, key in enumerate(reversed(NAMES)):
        values = [row[key] for row in rows]
        axes.plot(values, [place] * len(values), "o", color=LINES[0], markersize=4, alpha=0.5)
        axes.plot([fmean(values)] * 2, [place - 0.3, place + 0.3], color=INK)
    axes.set_yticks(range(len(NAMES)), [NAMES[key] for key in reversed(NAMES)], fontsize=LABEL)
    axes.set_xlabel("percent of pairs right", fontsize=LABEL, color=INK)
    return figure


def shown(pairs: Tensor, same: Tensor) -> Figure:
    """The first pairs of one person and of two."""
    grid = torch.cat([pairs[same == kind][:: max(1, int((same == kind).sum()) // SHOWN)][:SHOWN].movedim(1, 0) for kind in (1, 0)])
    return fantasies(grid.reshape(*grid.shape[:2], *SHAPE), limits=(-2.5, 2.5), row="", rows=["the same", "", "two people", ""])

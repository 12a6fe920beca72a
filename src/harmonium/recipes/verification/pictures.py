"""The pictures and tables of face verification: accuracies by fold and by contrast, pairs, and filters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.recipes.verification.cropped_faces import SHAPE
from harmonium.recipes.verification.right_pairs import CONTRASTS
from harmonium.report import Section, fantasies, filters
from harmonium.report.style import INK, LABEL, LINES, page, quiet

NAMES = {
    "rectified": "siamese net, rectified features",
    "rectified_biased": "the same with biases",
    "binary": "siamese net, binary features",
    "convolutional": "siamese convolutional net, learnt metric",
    "eigenfaces": "eigenfaces",
    "pixels": "pixels",
    "rectified_untuned": "rectified features before tuning",
    "binary_untuned": "binary features before tuning",
}
UNITS = {"rectified": "rectified, no biases", "rectified_biased": "rectified, biases", "binary": "binary, biases"}
SHOWN = 12  # pairs of either kind
Rows = Sequence[Mapping[str, Any]]


def sections(rows: Rows, pairs: Tensor, same: Tensor, weights: Mapping[str, Tensor]) -> list[Section]:
    """The report's parts.

    Parameters
    ----------
    rows
        What was judged in each fold.
    pairs, same
        (pairs, 2, pixels), and (pairs,), 1 where both are of one person.
    weights
        Of each net's features as they were learnt in the first fold, (pixels, units).
    """
    return [
        Section(
            "Accuracy",
            "The share of pairs of faces that are said rightly to be of one person or of two; half of the pairs are of one. A point is a "
            "fold, with three people that nothing was learnt from, the line the mean.",
            [(by_fold(rows), "percent right in each fold")],
            table(rows),
        ),
        Section(
            "Contrast",
            "The second face of each pair, as the net sees it, is multiplied by a factor. The cosine of rectified features without biases "
            "does not depend on it. Bars are standard errors over the folds.",
            [(by_contrast(rows), "percent right by the contrast of the second face")],
        ),
        Section(
            "Pairs",
            figures=[(shown(pairs, same), "pairs of the first fold, one above the other: two rows of one person, then two of two")],
        ),
        Section(
            "Features",
            "What hidden units look for, as it was learnt without labels in the first fold.",
            [(filters(weight[:, :100], SHAPE), UNITS[name]) for name, weight in weights.items()],
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


def by_contrast(rows: Rows) -> Figure:
    """The mean accuracy of each net over the folds where one face of each pair has another contrast."""
    height = 3.0
    figure, head = page(7.0, height, None)
    axes = figure.add_axes((0.1, 0.17, 0.66, (height - 0.7) / (height + head)))
    quiet(axes)
    for place, (name, words) in enumerate(UNITS.items()):
        by_factor = list(zip(*(row["at_contrasts"][name] for row in rows), strict=True))
        means = [fmean(values) for values in by_factor]
        errors = [stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0 for values in by_factor]
        axes.errorbar(CONTRASTS, means, yerr=errors, fmt="o-", color=LINES[place], markersize=4, capsize=2)
        axes.annotate(
            words, (CONTRASTS[-1], means[-1]), (8, 0), textcoords="offset points", va="center", fontsize=LABEL, color=LINES[place]
        )
    axes.axhline(50, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_xticks(CONTRASTS, [f"{factor:g}" for factor in CONTRASTS])
    axes.minorticks_off()
    axes.set_xlabel("contrast of the second face", fontsize=LABEL, color=INK)
    axes.set_ylabel("percent of pairs right", fontsize=LABEL, color=INK)
    return figure


def shown(pairs: Tensor, same: Tensor) -> Figure:
    """The first pairs of one person and of two."""
    grid = torch.cat([pairs[same == kind][:: max(1, int((same == kind).sum()) // SHOWN)][:SHOWN].movedim(1, 0) for kind in (1, 0)])
    return fantasies(grid.reshape(*grid.shape[:2], *SHAPE), limits=(-2.5, 2.5), row="", rows=["the same", "", "two people", ""])

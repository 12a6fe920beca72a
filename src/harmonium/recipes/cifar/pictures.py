"""The pictures of the cifar-filters recipe: filters before and after fine-tuning, and how much of each the best Gabor function explains."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from harmonium.data.cifar10 import SHAPE
from harmonium.recipes.cifar.detectors import EXPLAINED
from harmonium.report import Section, before_after, filters, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

ALL = 256  # filters of patches shown at most
MOST = 24  # filters before and after


def sections(run: Run, shown: Mapping[str, Tensor]) -> list[Section]:
    """The report's parts, of a finished or an unfinished run. `shown`: weights (pixels, units), and shares explained, (units,)."""
    made = []
    if shown:
        patches = shown["patches"]
        made.append(
            Section(
                "Filters of patches",
                "What each rectified unit responds to, as learnt without labels from whitened patches. Look for edges, stripes and "
                "spots of colour, each at a place of its own. Grey is zero; each tile has its own scale.",
                [
                    (filters(patches, _shape(patches), count=ALL), "filters, those with the largest weights first"),
                    (explained(shown["explained"], shown["explained random"]), "share of a filter's square that one function explains"),
                ],
            )
        )
        for name, words in (("convolutional", "Kernels of the convolutional net"), ("whole", "Units of whole images")):
            made.append(Section(words, "The first layer before and after fine-tuning, those that changed most.", _pairs(shown, name)))
    if curves := run.histories():
        made.append(Section("Learning", "Each phase against its epochs.", [(learning_curves(curves), "the figures of each epoch")]))
    return made


def _pairs(shown: Mapping[str, Tensor], name: str) -> list[tuple[Figure, str]]:
    """The filters of a net that began at learnt layers, and of one that began at random ones."""
    found = []
    for start, words in (("learnt", "learnt without labels at first"), ("random", "random at first")):
        before, after = (shown[f"{name} {start} {when}"] for when in ("before", "after"))
        found.append((before_after(before, after, _shape(before), count=MOST), words))
    return found


def _shape(weight: Tensor) -> tuple[int, int, int]:
    """Of the images that a column of weights is: three planes of as many rows as columns."""
    side = math.isqrt(len(weight) // SHAPE[0])
    return SHAPE[0], side, side


def explained(learnt: Tensor, random: Tensor) -> Figure:
    """How many filters are explained how far, learnt and random ones.

    Parameters
    ----------
    learnt, random
        (filters,), from 0 to 1: how much of each filter the best function accounts for.
    """
    height = 2.6
    figure, _ = page(WIDTH, height, None)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    edges = [each / 40 for each in range(41)]
    for values, words, colour in ((random, "random", MUTED), (learnt, "learnt", LINES[0])):
        axes.hist(100 * values.numpy(), [100 * edge for edge in edges], color=colour, alpha=0.7, label=words)
    axes.axvline(100 * EXPLAINED, color=INK, linewidth=1, linestyle=":")
    axes.annotate(
        "a detector, from here",
        (100 * EXPLAINED, 1),
        (4, -10),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=SMALL,
    )
    axes.set_xlabel("explained by the best Gabor function or spot (%)", fontsize=LABEL, color=INK)
    axes.set_ylabel("filters", fontsize=LABEL, color=INK)
    axes.legend(fontsize=SMALL, frameon=False)
    quiet(axes)
    return figure

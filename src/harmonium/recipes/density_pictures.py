"""The pictures of the density recipe: every set's bars, and cases beside samples."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.report.style import HAIR, INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

COLUMNS = 3


def bars(models: Mapping[str, Mapping[str, float]]) -> Figure:
    """A panel a set: each model's test nats as a bar, from the worst model on, the number beside it.

    `models`: set -> model -> nats a test case. "ours" is coloured.
    """
    rows = -(-len(models) // COLUMNS)
    most = max(len(values) for values in models.values())
    figure, _ = page(WIDTH, rows * (0.55 + 0.22 * most), None)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, (name, values) in zip(grid.flat, models.items(), strict=False):
        worst = min(values.values())
        reach = max(max(values.values()) - worst, 1e-9)
        for place, (model, value) in enumerate(reversed(list(values.items()))):
            axes.barh(place, value - worst, left=0, height=0.7, color=LINES[0] if model == "ours" else HAIR)
            axes.text(value - worst + 0.02 * reach, place, f"{value:.2f}", va="center", fontsize=SMALL, color=INK)
        axes.set_yticks(range(len(values)), list(values)[::-1])
        axes.set_title(name, loc="left", fontsize=LABEL, color=INK)
        axes.set_xlim(0, 1.35 * reach)
        quiet(axes)
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.tick_params(axis="y", labelcolor=MUTED, labelsize=SMALL)
    for axes in grid.flat[len(models) :]:
        axes.remove()
    return figure


def rasters(pairs: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Of each set some training cases and as many samples, (cases, variables) each: a row a case, black is 1.

    The variables are in the order of how often they are 1, the cases in that of how many 1s they have.
    """
    figure, _ = page(WIDTH, 1.35 * len(pairs), None)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(len(pairs), 2, squeeze=False)
    for (left, right), (name, (cases, samples)) in zip(grid, pairs.items(), strict=True):
        order = torch.argsort(cases.double().mean(0), descending=True, stable=True)
        for axes, rows, what in ((left, cases, "training cases"), (right, samples, "samples")):
            ranked = rows[torch.argsort(rows.sum(1), descending=True, stable=True)][:, order]
            axes.imshow(ranked.numpy(), cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
            axes.set_title(f"{name}: {what}", loc="left", fontsize=SMALL, color=INK)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_color(HAIR)
    return figure

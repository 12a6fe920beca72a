"""The pictures and tables of the angle regression: errors against labelled toys, views, and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.recipes.angles.viewed_toys import ORIENTED, Toys
from harmonium.report import Section, fantasies, filters
from harmonium.report.style import INK, LABEL, LINES, page, quiet

NAMES = {"pretrained": "net, features without labels", "random": "net, random weights", "ridge": "ridge regression"}
BLIND = 90.0  # mean degrees off of one who says any direction
SHOWN = 16
Rows = Sequence[Mapping[str, Any]]


def sections(rows: Rows, toys: Toys, weights: Tensor) -> list[Section]:
    """The report's parts. `weights`: those of the first RBM, (pixels, units)."""
    return [
        Section(
            "Degrees off",
            "The mean angle between the direction that is said and the true one, on views of toys without labels; a guess is 90 degrees "
            "off. Each division of the toys has its own nets; the rate and the number of epochs were chosen on toys of their own.",
            [(curves(rows), "mean degrees off against labelled toys of each category; a point is one division, the line their mean")],
            table(rows),
        ),
        Section("Views", figures=[(views(toys), "one toy of each category, turned")]),
        Section(
            "Filters",
            figures=[(filters(weights, (toys.side, toys.side)), "weights of the first RBM, learnt from all views without labels")],
        ),
    ]


def table(rows: Rows) -> list[dict[str, object]]:
    """A row of each start and number of labelled toys: mean ± standard deviation over the divisions."""
    found: list[dict[str, object]] = []
    for count in sorted({row["labelled"] for row in rows}):
        for start, name in NAMES.items():
            own = [row for row in rows if (row["labelled"], row["start"]) == (count, start)]
            cells = {what.replace("_", " "): spread([row[what] for row in own]) for what in ("degrees_off", "squared_error")}
            found.append({"labelled toys of each category": count, "model": name, **cells})
    return found


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation."""
    return f"{mean(values):.3g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")


def curves(rows: Rows) -> Figure:
    """Degrees off against the number of labelled toys."""
    height = 3.0
    figure, head = page(7.0, height, None)
    axes = figure.add_axes((0.1, 0.17, 0.85, (height - 0.7) / (height + head)))
    quiet(axes)
    counts = sorted({row["labelled"] for row in rows})
    for (start, name), colour in zip(NAMES.items(), LINES, strict=False):
        groups = [[row["degrees_off"] for row in rows if (row["labelled"], row["start"]) == (count, start)] for count in counts]
        axes.plot(counts, [mean(group) for group in groups], color=colour, label=name)
        for count, group in zip(counts, groups, strict=True):
            axes.plot([count] * len(group), group, "o", color=colour, markersize=4, alpha=0.6)
    axes.set_ylim(0, BLIND)
    axes.set_xticks(counts)
    axes.set_xlabel("labelled toys of each category", fontsize=LABEL, color=INK)
    axes.set_ylabel("degrees off, test toys", fontsize=LABEL, color=INK)
    axes.legend(fontsize=LABEL, frameon=False)
    return figure


def views(toys: Toys) -> Figure:
    """A row of level views of the first toy of each oriented category."""
    rows = []
    for category in torch.unique(toys.categories[toys.oriented]):
        own = (toys.oriented & (toys.toys == toys.toys[toys.categories == category][0])).nonzero().squeeze(1)
        angle = torch.atan2(toys.targets[own, 0], toys.targets[own, 1]) % (2 * torch.pi)
        chosen = own[angle.argsort()][torch.linspace(0, len(own) - 1, SHOWN).long()]
        rows.append(toys.images[chosen].reshape(SHOWN, toys.side, toys.side))
    return fantasies(torch.stack(rows), limits=(0, 1), row="", rows=list(ORIENTED))

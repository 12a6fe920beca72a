"""The pictures of nets by depth: boxes, histograms, and errors at equal training loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from harmonium.recipes.shared.sigmoid_nets import Curves
from harmonium.report import Section
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet

Found = Mapping[tuple[str, int], Curves]
COLOURS = {"pretrained": LINES[0], "random": LINES[1]}
WORDS = {"pretrained": "with pre-training", "random": "without"}


def sections(found: Found, split: str) -> list[Section]:
    """The report's parts, of the cells that have begun."""
    if not found:
        return [Section("Nothing yet", "No net has learnt labels yet.")]
    depths = sorted({depth for _, depth in found})
    table = [
        {
            "hidden layers": depth,
            **{
                f"{WORDS[kind]}: {name}": f"{value:.2f}"
                for kind in COLOURS
                if (kind, depth) in found
                for name, value in _five(found[kind, depth][f"{split}_error_percent"][-1]).items()
            },
        }
        for depth in depths
    ]
    return [
        Section(
            "The effect of depth",
            "Error in percent of each net after the last epoch. A box is from the first to the third quartile with a line at the median, "
            "its whiskers reach the least and the largest.",
            [(boxes(found, split), f"{split} error in percent by number of hidden layers, with and without pre-training")],
            table,
        ),
        Section(
            "The effect of unsupervised pre-training",
            "The same errors as histograms, of the shallowest nets and of the deepest.",
            [(histograms(found, split, sorted({depths[0], depths[-1]})), f"number of nets by {split} error in percent")],
        ),
        Section(
            "At equal training loss",
            "Each line is the median over nets, epoch by epoch, from right to left. Where the line with pre-training is below the other at "
            "the same training loss, the net does not err less because it was optimised better: pre-training acts as a regulariser.",
            [(against_loss(found, split, depths), f"{split} error in percent against training loss in nats")],
        ),
    ]


def _five(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    """Least, quartiles and largest."""
    return dict(
        zip(("least", "first quartile", "median", "third quartile", "largest"), np.percentile(values, (0, 25, 50, 75, 100)), strict=True)
    )


def boxes(found: Found, split: str) -> Figure:
    """A box for each kind and depth; the axis of errors is logarithmic."""
    figure, _ = page(WIDTH, 3.6, None)
    axes = figure.add_axes((0.07, 0.14, 0.91, 0.8))
    quiet(axes)
    for place, (kind, colour) in enumerate(COLOURS.items()):
        depths = sorted(depth for own, depth in found if own == kind)
        draw_boxes(axes, [found[kind, depth][f"{split}_error_percent"][-1] for depth in depths], depths, place, colour)
        axes.plot([], [], color=colour, label=WORDS[kind])
    _percent(axes)
    axes.set_xticks(sorted({depth for _, depth in found}))
    axes.set_xlabel("hidden layers", fontsize=LABEL, color=INK)
    axes.set_ylabel(f"{split} error (%)", fontsize=LABEL, color=INK)
    axes.legend(fontsize=SMALL, frameon=False, labelcolor=INK, loc="upper left")
    return figure


def draw_boxes(axes: Axes, errors: Sequence[np.ndarray[Any, Any]], depths: Sequence[int], place: int, colour: str) -> None:
    """A box for each depth of one of two kinds of nets, whose whiskers reach to all of them.

    Parameters
    ----------
    axes
        Where they are drawn.
    errors
        Of the nets of each depth, (nets,) each.
    depths
        The places of the boxes.
    place
        0 or 1: left or right of the depth.
    colour
        Of the kind.
    """
    line = {"color": colour, "linewidth": 1.4}
    axes.boxplot(
        errors,
        positions=[depth + 0.36 * (place - 0.5) for depth in depths],
        widths=0.28,
        whis=(0, 100),
        manage_ticks=False,
        boxprops=line,
        medianprops=line,
        whiskerprops=line,
        capprops=line,
    )


def histograms(found: Found, split: str, depths: list[int]) -> Figure:
    """Numbers of nets by error, a panel for each of some depths."""
    figure, _ = page(WIDTH, 2.8, None)
    width = 0.92 / len(depths)
    for place, depth in enumerate(depths):
        axes = figure.add_axes((0.06 + place * width, 0.17, width - 0.05, 0.7))
        quiet(axes)
        cells = {kind: found[kind, depth][f"{split}_error_percent"][-1] for kind in COLOURS if (kind, depth) in found}
        every = np.concatenate(list(cells.values()))
        edges = np.geomspace(max(every.min() * 0.98, 1e-2), max(every.max() * 1.02, 2e-2), 31)
        for kind, values in cells.items():
            axes.hist(values, edges.tolist(), color=COLOURS[kind], alpha=0.75, label=WORDS[kind])
        axes.set_xscale("log")
        _percent(axes, horizontal=True)
        axes.set_title(f"{depth} hidden layer{'s' if depth > 1 else ''}", fontsize=LABEL, color=INK, loc="left")
        axes.set_xlabel(f"{split} error (%)", fontsize=LABEL, color=INK)
        axes.legend(fontsize=SMALL, frameon=False, labelcolor=INK)
    return figure


def against_loss(found: Found, split: str, depths: list[int]) -> Figure:
    """Median error against median training loss on the way, a panel for each depth."""
    figure, _ = page(WIDTH, 2.6, None)
    width = 0.94 / len(depths)
    for place, depth in enumerate(depths):
        axes = figure.add_axes((0.055 + place * width, 0.19, width - 0.035, 0.68))
        quiet(axes)
        for kind, colour in COLOURS.items():
            if (kind, depth) in found:
                curves = found[kind, depth]
                axes.plot(np.median(curves["training_loss"], 1), np.median(curves[f"{split}_error_percent"], 1), ".-", color=colour, ms=3)
        axes.set_xscale("log")
        _percent(axes)
        axes.tick_params(axis="x", labelsize=SMALL - 1, labelcolor=MUTED)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{depth} layer{'s' if depth > 1 else ''}", fontsize=LABEL, color=INK, loc="left")
        axes.set_xlabel("training loss (nats)", fontsize=SMALL, color=INK)
        if not place:
            axes.set_ylabel(f"{split} error (%)", fontsize=LABEL, color=INK)
    return figure


def _percent(axes: Axes, *, horizontal: bool = False) -> None:
    """A logarithmic axis of percentages with plain numbers."""
    if not horizontal:
        axes.set_yscale("log")
    axis = axes.xaxis if horizontal else axes.yaxis
    between = [7, 9, 12] if horizontal else []
    axis.set_major_locator(FixedLocator([1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 80, *between]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)

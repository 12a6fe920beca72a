"""The picture and the table of the layer-size recipe."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import stdev

from matplotlib.figure import Figure

from harmonium.recipes.layer_size.replicated_stacks import Judged
from harmonium.report import Section, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run


def sections(run: Run, found: Sequence[Judged]) -> list[Section]:
    """The report's parts, of a finished or an unfinished run."""
    made = []
    if found:
        text = "Errors on the judged cases by the shape of the net, from the bottom layer to the top. A dot is a net, a bar the mean."
        made.append(Section("Shapes", text, [(by_shape(found), "error by shape")], [row(each) for each in found]))
    keys = ("epoch", "reconstruction_error", "train_error_percent")
    curves = {phase: [{key: row[key] for key in keys if key in row} for row in rows] for phase, rows in run.histories().items()}
    made.append(Section("Learning", "The mean of each shape's nets.", [(learning_curves(curves), "the figures of each epoch")]))
    return made


def row(found: Judged) -> dict[str, object]:
    """What came out of a shape, as a row of the table."""
    spread = f" ± {stdev(found.errors):.2f}" if len(found.errors) > 1 else ""
    return {
        "shape": found.shape,
        "weights": f"{found.weights:,}",
        "error %, mean ± sd": f"{found.mean:.2f}{spread}",
        "in training %": f"{sum(found.train_errors) / len(found.train_errors):.2f}",
    }


def by_shape(found: Sequence[Judged]) -> Figure:
    """A bar for each shape, the best on top, with its nets as dots and its number of weights beside."""
    order = sorted(found, key=lambda each: each.mean)
    figure, _ = page(WIDTH, 0.9 + 0.36 * len(order), None)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    for place, each in enumerate(order):
        axes.barh(place, each.mean, color=LINES[0], alpha=0.55, height=0.6)
        axes.plot(each.errors, [place] * len(each.errors), "o", color=INK, markersize=3.5)
        axes.annotate(f"{each.mean:.2f}", (max(each.errors), place), (6, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(order)), [f"{each.shape}  ({each.weights:,} weights)" for each in order])
    axes.invert_yaxis()
    axes.set_xlabel("error (%)", fontsize=SMALL, color=MUTED)
    quiet(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure

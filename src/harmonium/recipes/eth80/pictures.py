"""The pictures and the table of the eth80 recipe."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from harmonium.files import read_tensors
from harmonium.recipes.eth80.judging import LAST, ORDER, Errors, mean_and_error
from harmonium.recipes.eth80.representations import REDUCED
from harmonium.recipes.shared.feature_layers import Kind, phase
from harmonium.report import Section, filters, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

WORDS = {
    "mask": "silhouette",
    "pixels": "pixels",
    "random_layer_1": "random rectified layer",
    "random_layer_2": "second random layer",
    "binary_layer_1": "binary layer",
    "binary_layer_2": "second binary layer",
    "layer_1": "rectified layer",
    "layer_2": "second rectified layer",
}


def sections(run: Run, found: Errors) -> list[Section]:
    """The report's parts, of a finished or an unfinished run."""
    made = []
    if found:
        text = "Errors on toys that were not learnt from, by what is seen of them. A dot is a division of the toys, a bar the mean."
        made.append(Section("Representations", text, [(by_representation(found), "error by representation")], table(found)))
    kinds: tuple[Kind, ...] = ("rectified", "binary")
    paths = {kind: run.checkpoint(phase("split 1", kind, 0)) for kind in kinds}
    shown = [
        (filters(read_tensors(path)[0]["model.coupling.weight"], (REDUCED, REDUCED), count=64), f"{kind} units of the first division")
        for kind, path in paths.items()
        if path.exists()
    ]
    if shown:
        made.append(Section("Features", "What units of the first layer respond to; those with the largest weights.", shown))
    curves = {name: rows for name, rows in run.histories().items() if name.startswith("split 1 ")}
    if curves:
        made.append(Section("Learning", "The first division.", [(learning_curves(curves), "the figures of each epoch")]))
    return made


def table(found: Errors) -> list[dict[str, object]]:
    """One row for each representation."""
    rows = []
    for what in (each for each in ORDER if each in found):
        mean, error = mean_and_error(found[what])
        more, of_more = mean_and_error([theirs - own for theirs, own in zip(found[what], found[LAST], strict=True)])
        row: dict[str, object] = {"seen": WORDS[what], "error %": f"{mean:.2f} ± {error:.2f}"}
        rows.append(row | {f"more than {WORDS[LAST]}": "" if what == LAST else f"{more:.2f} ± {of_more:.2f}"})
    return rows


def by_representation(found: Errors) -> Figure:
    """A bar for each representation, with a dot for each division of the toys."""
    order = [each for each in ORDER if each in found]
    figure, _ = page(WIDTH, 0.9 + 0.36 * len(order), None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    for place, what in enumerate(order):
        mean, _ = mean_and_error(found[what])
        axes.barh(place, mean, color=LINES[0], alpha=0.55, height=0.6)
        axes.plot(found[what], [place] * len(found[what]), "o", color=INK, markersize=3, alpha=0.6)
        axes.annotate(f"{mean:.1f}", (max(found[what]), place), (6, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(order)), [WORDS[what] for what in order])
    axes.invert_yaxis()
    axes.set_xlabel("error (%)", fontsize=SMALL, color=MUTED)
    quiet(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure

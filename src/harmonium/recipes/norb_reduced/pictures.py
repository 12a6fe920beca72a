"""The pictures and the table of the norb-reduced recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from harmonium.data.norb import NAMES
from harmonium.files import read_tensors
from harmonium.recipes.shared.feature_layers import Kind, phase
from harmonium.recipes.shared.norb_views import Views
from harmonium.report import Section, filters, image_grid, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

SIDE, ACROSS = 32, 10  # pixels of a side of an image, and images in a row
WORDS = {
    "pixels": "pixels",
    "layer_1": "rectified layer",
    "layer_2": "second rectified layer",
    "binary_layer_1": "binary layer",
    "binary_layer_2": "second binary layer",
    "random_layer_1": "random rectified layer",
    "random_layer_2": "second random layer",
    "nearest_neighbours": "nearest neighbours",
    "svm": "support vector machine",
    "conv_net": "convolutional net of 2004",
    "rectify_normalise_pool": "rectify, normalise, pool",
}
ORDER = tuple(WORDS)
PUBLISHED = {"pixels": 30.2, "layer_1": 14.9, "layer_2": 10.2}  # of NORB, in the tutorial


def sections(run: Run, views: Views, found: Mapping[str, float], *, toys: bool) -> list[Section]:
    """The report's parts, of a finished or an unfinished run.

    Parameters
    ----------
    run, views
        The folder of the run, and all views.
    found
        Percentages of errors by machine, as far as they are known.
    toys
        Whether the views are of toy objects.
    """
    made = []
    if found:
        text = (
            "Errors on toys that were not learnt from. The first seven are those of logistic regression on pixels or on features; the "
            "other machines learn from pixels and labels. Rings are the tutorial's figures"
            + (", which are of NORB: these are toy objects, and only the order can be compared." if toys else ".")
        )
        made.append(Section("Errors", text, [(by_machine(found), "error by what is seen, and by machine")], table(found)))
    made.append(
        Section(
            "Views",
            f"Views of {'toy objects' if toys else 'NORB'} as they are seen, a row for each category: how much darker than the ground.",
            [(some(views), ", ".join(NAMES))],
        )
    )
    kinds: tuple[Kind, ...] = ("rectified", "binary")
    paths = {kind: run.checkpoint(phase("", kind, 0)) for kind in kinds}
    shown = [
        (filters(read_tensors(path)[0]["model.coupling.weight"], (SIDE, SIDE), count=64), f"{kind} units")
        for kind, path in paths.items()
        if path.exists()
    ]
    if shown:
        made.append(Section("Features", "What units of the first layer respond to; those with the largest weights.", shown))
    curves = {name: rows for name, rows in run.histories().items() if len(rows) > 1}
    if curves:
        made.append(Section("Learning", figures=[(learning_curves(curves), "the figures of each epoch")]))
    return made


def table(found: Mapping[str, float]) -> list[dict[str, object]]:
    """One row for each representation and machine."""
    return [
        {"seen, or by": WORDS[name], "error %": f"{found[name]:.2f}", "NORB, published": PUBLISHED.get(name, "")}
        for name in ORDER
        if name in found
    ]


def some(views: Views) -> Figure:
    """Views of training toys, a row for each category."""
    rows = [(views.training & (views.categories == category)).nonzero().squeeze(1)[:ACROSS] for category in range(len(NAMES))]
    shown = views.pixels[torch.cat([each[: min(map(len, rows))] for each in rows])].reshape(-1, SIDE, SIDE)
    return image_grid(shown.numpy(), columns=len(shown) // len(NAMES))


def by_machine(found: Mapping[str, float]) -> Figure:
    """A bar for each representation and machine, with a ring where the tutorial has a figure."""
    order = [name for name in ORDER if name in found]
    figure, _ = page(WIDTH, 0.9 + 0.32 * len(order), None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    for place, name in enumerate(order):
        axes.barh(place, found[name], color=LINES[1 if name in PUBLISHED and name != "pixels" else 0], alpha=0.55, height=0.6)
        far = max(found[name], PUBLISHED.get(name, 0))
        axes.annotate(f"{found[name]:.1f}", (far, place), (8, 0), textcoords="offset points", va="center", fontsize=SMALL)
    known = [name for name in order if name in PUBLISHED]
    rings = [PUBLISHED[name] for name in known], [order.index(name) for name in known]
    axes.plot(*rings, "o", markerfacecolor="none", markeredgecolor=INK, markersize=6, label="published, of NORB")
    axes.set_yticks(range(len(order)), [WORDS[name] for name in order])
    axes.invert_yaxis()
    axes.set_xlabel("error (%)", fontsize=SMALL, color=MUTED)
    axes.legend(frameon=False, fontsize=SMALL, loc="lower right")
    quiet(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure

"""The pictures and the table of the patches recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from harmonium.recipes.patches.densities import ORDER, REFERENCE, Judged, mean_and_error
from harmonium.recipes.patches.machines import MACHINES
from harmonium.report import Section, filters, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

WORDS = {
    "gaussian": "one Gaussian",
    "gaussian_mixture": "mixture of Gaussians",
    "mfa": "mixture of factor analysers",
    "deep_mfa": "deep mixture of factor analysers",
    "gaussian_binary": "RBM, binary units",
    "stepped_sigmoid": "RBM, stepped sigmoid units",
    "rectified": "RBM, rectified units",
}
SHOWN = 60


def sections(run: Run, found: Mapping[str, Mapping[str, Judged]]) -> list[Section]:
    """The report's parts, of a finished or an unfinished run."""
    made = []
    for where, models in found.items():
        if models:
            text = "Mean log-density of patches that were not learnt from. Standard errors are over patches, as if these were independent."
            made.append(Section(f"Patches of {where}", text, [(by_model(models), "nats of a patch by model")], table(models)))
        shown = [
            (filters(models[name].filters.numpy(), (side, side), count=SHOWN), WORDS[name])
            for name in (*MACHINES, REFERENCE)
            if name in models and (side := math.isqrt(len(models[name].filters)))
        ]
        if shown:
            made.append(Section(f"Features of {where}", "The largest weights of hidden units, and loadings of the analysers.", shown))
        curves = {name: rows for name, rows in run.histories().items() if name.startswith(f"{where} ")}
        if curves:
            made.append(Section(f"Learning of {where}", "", [(learning_curves(curves), "the figures of each epoch")]))
    return made


def table(models: Mapping[str, Judged]) -> list[dict[str, object]]:
    """One row for each model."""
    rows = []
    for name in (each for each in ORDER if each in models):
        mean, error = mean_and_error(models[name].log_p)
        row: dict[str, object] = {"model": WORDS[name], "nats of a patch": f"{mean:.2f} ± {error:.2f}"}
        if REFERENCE in models and name != REFERENCE:
            more, of_more = mean_and_error(models[REFERENCE].log_p - models[name].log_p)
            row[f"less than the {WORDS[REFERENCE]}"] = f"{more:.2f} ± {of_more:.2f}"
        rows.append(row)
    return rows


def by_model(models: Mapping[str, Judged]) -> Figure:
    """A dot for each model, with two standard errors of its difference from the mixture of factor analysers where that is known."""
    order = [each for each in ORDER if each in models]
    figure, _ = page(WIDTH, 0.9 + 0.34 * len(order), None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    for place, name in enumerate(order):
        mean, error = mean_and_error(models[name].log_p)
        if REFERENCE in models and name != REFERENCE:
            error = mean_and_error(models[REFERENCE].log_p - models[name].log_p)[1]
        colour = LINES[1] if name in MACHINES else LINES[0]
        axes.errorbar(mean, place, xerr=2 * error, fmt="o", color=colour, markersize=6, capsize=3)
        axes.annotate(f"{mean:.2f}", (mean, place), (0, 7), textcoords="offset points", ha="center", fontsize=SMALL)
    axes.set_yticks(range(len(order)), [WORDS[each] for each in order])
    axes.set_ylim(len(order) - 0.5, -0.7)
    axes.margins(x=0.08)
    axes.set_xlabel("nats of a patch", fontsize=SMALL, color=MUTED)
    quiet(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure

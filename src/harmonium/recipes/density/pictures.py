"""The pictures and tables of the density recipe: every set's bars, and cases beside samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.files import read_tensors
from harmonium.recipes.density.candidates import Candidate
from harmonium.recipes.density.early_stopping import Nats
from harmonium.recipes.density.selection import judged_path, phase
from harmonium.report import Section, learning_curves
from harmonium.report.style import HAIR, INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

COLUMNS = 3


def rows_section(models: Mapping[str, Mapping[str, float]], table: Sequence[Mapping[str, Any]], small: int) -> Section:
    """Every set's test nats. `models`: set -> model -> nats; `small`: hidden units of the published machines."""
    return Section(
        "Every set",
        "Nats a test case. 'Independent' is the model of independent variables with the training set's base rates. AIS at two "
        "lengths and reverse AIS from tempered chains are three estimates of one log Z; RAISE is a bound for the annealing model. "
        "The lowest of them counts; where log Z is exact all are left out. A second row of a set is that of its best machine of "
        f"{small} hidden units, as the published ones have.",
        [(bars(models), "test nats; the number is log p a case, the bar how far that is above independent variables")],
        table,
    )


def curve_section(run: Run, name: str, candidate: Candidate, updates: int) -> Section | None:
    """The learning curve of a set's chosen machine; None where no epoch of it is written down. `updates`: in an epoch, about."""
    keys = ("epoch", "validation_nats", "log_z_error", "free_energy_gap", "reconstruction_error")
    curve = [{key: row[key] for key in keys} for row in run.histories().get(phase(name, candidate), [])]
    if not curve:
        return None
    caption = f"{name}, the chosen machine; an epoch is about {updates} updates"
    return Section(f"Learning curves: {name}", figures=[(learning_curves({name: curve}), caption)])


def samples_section(picture: Figure) -> Section:
    """What `rasters` drew."""
    return Section(
        "Cases and samples",
        "Training cases on the left, on the right what Gibbs sampling from these leads to; one row per case, black is 1.",
        [(picture, "training cases and samples")],
    )


def search_section(run: Run, candidates: Mapping[str, Sequence[Candidate]]) -> Section:
    """Every candidate of every set."""
    rows = [{"set": name, "machine": each.label, **_validation(run, name, each)} for name, some in candidates.items() for each in some]
    return Section("The search", "Validation nats of every candidate after its best epoch, and the error they owe to log Z.", table=rows)


def _validation(run: Run, name: str, candidate: Candidate) -> dict[str, Any]:
    path = judged_path(run, name, candidate)
    if not path.exists():
        return {}
    header = read_tensors(path)[1]
    nats = Nats(*header["nats"])
    return {"validation nats": f"{nats.value:.2f}", "±": f"{nats.error:.2f}", "epoch": f"{header['look']} of {header['looks']}"}


def bars(models: Mapping[str, Mapping[str, float]]) -> Figure:
    """One panel per set: each model's test nats as a bar, from the worst model on, the number beside it.

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
    """Of each set some training cases and as many samples, (cases, variables) each: one row per case, black is 1.

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

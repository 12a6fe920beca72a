"""The pictures and the tables of the ratings recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import normalize

from harmonium.data.rating_table import Ratings
from harmonium.files import read_tensors
from harmonium.models.saving import restore
from harmonium.recipes.ratings.judging import Compared, Row, machine_path
from harmonium.recipes.ratings.machines import made, measure_of
from harmonium.recipes.ratings.rated_cases import rated
from harmonium.report import Section, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

WORDS = {
    "bias": "biases of users and items",
    "mf": "matrix factorisation",
    "items": "RBM per film",
    "users": "RBM per user",
    "unconditional": "that does not see what is rated",
    "free_weights": "with a weight per star",
    "factored": "with factored weights",
    "gaussian_hidden": "with Gaussian hidden units",
    "softmax": "with softmax units of ten bins",
    "contrastive": "after contrastive divergence alone",
}
BASELINES = ("bias", "mf")
EXAMPLES, NEAREST, ON_MAP = 12, 4, 36
Rows = Mapping[str, Sequence[Row]]


def sections(run: Run, rows: Rows, sets: Sequence[Compared], learnt: Ratings, judged: Ratings) -> list[Section]:
    """The report's parts. `learnt` and `judged`: the ratings of films of the first split."""
    found = []
    for compared in sets:
        text = "Root mean squared error of ratings that were held out: a point for each split, and the mean over the splits."
        found.append(
            Section(
                compared.name, text, [(by_model(compared, rows[compared.name]), "error by model")], table(compared, rows[compared.name])
            )
        )
        curves = {WORDS[name]: run.histories().get(f"{compared.name} split 0 {name}", []) for name in compared.machines}
        text = (
            "Contrastive divergence, then prediction of each rating from the others of its case. The error is that of ratings held out; "
            "nothing is chosen by it."
        )
        found.append(Section(f"Learning of {compared.name}", text, [(learning_curves(curves, metrics=["rmse", "loss"]), "epoch by epoch")]))
    features, counts = film_features(run, sets[0], learnt, judged)
    text = "Films whose RBMs' hidden units are most alike, by the correlation of the inputs that their ratings give them."
    found.append(
        Section(
            "Films that are alike",
            text,
            [(film_map(features, counts, learnt.item_names), "two directions of the hidden units' inputs")],
            alike(features, counts, learnt.item_names),
        )
    )
    return found


def names_of(compared: Compared) -> dict[str, str]:
    """The models in the order of pictures: the key in rows, and the name."""
    own = next(iter(compared.machines))
    found = {name: WORDS[name] for name in BASELINES} | {own: WORDS[own], f"{own}_contrastive": WORDS["contrastive"]}
    return found | {name: WORDS[name] for name in compared.machines}


def table(compared: Compared, rows: Sequence[Row]) -> list[dict[str, object]]:
    """A row of each model: errors of its means, and of its modes where it has them, over the splits."""
    own = next(iter(compared.machines))
    found: list[dict[str, object]] = []
    for key, name in names_of(compared).items():
        better = [100 * (1 - row[f"rmse_{own}"] / row[f"rmse_{key}"]) for row in rows]
        found.append(
            {
                "model": name,
                "RMSE": spread([row[f"rmse_{key}"] for row in rows], 4),
                "MAE": spread([row[f"mae_{key}"] for row in rows], 4),
                "MAE of the mode": spread([row[f"mae_{key}_mode"] for row in rows], 4) if f"mae_{key}_mode" in rows[0] else "",
                f"{WORDS[own]} better by %": "" if key == own else spread(better, 2),
            }
        )
    return found


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard error, or the one value."""
    error = f" ± {stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{error}"


def by_model(compared: Compared, rows: Sequence[Row]) -> Figure:
    """A point for each split, and the mean with its standard error."""
    names = names_of(compared)
    figure, _ = page(WIDTH, 0.9 + 0.32 * len(names), None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    for place, key in enumerate(names):
        values = [row[f"rmse_{key}"] for row in rows]
        colour = LINES[0] if key in BASELINES else LINES[1]
        error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        axes.plot(values, [place] * len(values), "o", color=colour, markersize=3.5, alpha=0.4)
        axes.errorbar(fmean(values), place, xerr=error, fmt="|", color=colour, markersize=12, capsize=3)
        axes.annotate(f"{fmean(values):.3f}", (max(values), place), (9, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(names)), list(names.values()))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.1)
    axes.set_xlabel("root mean squared error", fontsize=SMALL, color=MUTED)
    quiet(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure


@torch.no_grad()
def film_features(run: Run, compared: Compared, learnt: Ratings, judged: Ratings) -> tuple[Tensor, Tensor]:
    """The inputs of hidden units that each film's ratings give, standardised over films that are rated often, and how often each is rated.

    Returns (films, hidden) and (films,).
    """
    name, how = next(iter(compared.machines.items()))
    machine = made(how, measure_of(how, learnt), len(learnt.user_names), 0)
    restore(machine, read_tensors(machine_path(run, compared, 0, name))[0], "")
    seen = rated(learnt.transposed(), judged.transposed(), measure_of(how, learnt))
    input = torch.logit(machine.hidden_means(seen), eps=1e-6)
    counts = torch.bincount(learnt.items, minlength=len(input))
    often = input[counts.argsort(descending=True)[: max(len(input) // 20, 2)]]
    return (input - often.mean(0)) / often.std(0).clamp_min(1e-6), counts


def alike(features: Tensor, counts: Tensor, names: Sequence[str]) -> list[dict[str, object]]:
    """Often rated films, and for each the nearest ones of the more often rated twentieth."""
    often = counts.argsort(descending=True)[: max(len(counts) // 20, 2)].tolist()
    unit = normalize(features[often], dim=1)
    found = []
    for place in range(min(EXAMPLES, len(often))):
        near = (unit @ unit[place]).argsort(descending=True)
        others = [names[often[other]] for other in near.tolist() if other != place][:NEAREST]
        found.append({"film": names[often[place]], "nearest": "; ".join(others)})
    return found


def film_map(features: Tensor, counts: Tensor, names: Sequence[str]) -> Figure:
    """The most rated films by two principal components of their features."""
    most = counts.argsort(descending=True)[:ON_MAP]
    chosen = features[most] - features[most].mean(0)
    directions = torch.linalg.svd(chosen, full_matrices=False).Vh[:2]
    x, y = (chosen @ directions.T).T.numpy()
    figure, _ = page(WIDTH, 5.2, None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    axes.plot(x, y, "o", color=LINES[1], markersize=3)
    for place, film in enumerate(most.tolist()):
        side = 1 if x[place] < np.median(x) else -1
        axes.annotate(
            names[film],
            (x[place], y[place]),
            (5 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=SMALL - 1,
            color=INK,
        )
    axes.margins(x=0.2)
    axes.set_xticks([])
    axes.set_yticks([])
    quiet(axes)
    return figure

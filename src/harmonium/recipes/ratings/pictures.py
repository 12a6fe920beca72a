"""The pictures and the tables of the ratings recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from textwrap import shorten
from typing import Any

import torch
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from torch import Tensor
from torch.nn.functional import normalize

from harmonium.data.rating_table import Ratings
from harmonium.files import read_tensors
from harmonium.models.saving import restore
from harmonium.recipes.ratings.compared_machines import made, measure_of
from harmonium.recipes.ratings.judged_splits import Compared, Row, machine_path
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
EXAMPLES, NEAREST, SHOWN = 12, 4, 40
APART = 0.05  # standard deviation of a hidden unit's mean over the films that are shown
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
            [(film_picture(features, counts, learnt.item_names), "the hidden units' means given the ratings of a film")],
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


def film_features(run: Run, compared: Compared, learnt: Ratings, judged: Ratings) -> tuple[Tensor, Tensor]:
    """The hidden units' means given each film's ratings, (films, hidden), and how often each is rated, (films,), in the first split."""
    name, how = next(iter(compared.machines.items()))
    measure = measure_of(how, learnt)
    machine = made(how, measure, len(learnt.user_names), 0)
    with torch.no_grad():
        restore(machine, read_tensors(machine_path(run, compared, 0, name))[0])
    means = machine.hidden_means(rated(learnt.transposed(), judged.transposed(), measure))
    return means, torch.bincount(learnt.items, minlength=len(means))


def alike(features: Tensor, counts: Tensor, names: Sequence[str]) -> list[dict[str, object]]:
    """The films that are rated most, and for each the nearest ones among a twentieth of all films, by the correlation of their features."""
    often = counts.argsort(descending=True)[: max(len(counts) // 20, 2)].tolist()
    logits = torch.logit(features[often], eps=1e-6)
    unit = normalize((logits - logits.mean(0)) / logits.std(0).clamp_min(1e-6), dim=1)
    found: list[dict[str, object]] = []
    for place in range(min(EXAMPLES, len(often))):
        near = (unit @ unit[place]).argsort(descending=True).tolist()
        others = [names[often[other]] for other in near if other != place][:NEAREST]
        found.append({"film": names[often[place]], "nearest": "; ".join(others)})
    return found


def film_picture(features: Tensor, counts: Tensor, names: Sequence[str]) -> Figure:
    """The means of the hidden units that tell the most rated films apart; films and units are ordered so that neighbours are alike."""
    most = counts.argsort(descending=True)[:SHOWN].tolist()
    apart = features[most].std(0).argsort(descending=True)
    used = apart[: max(int((features[most].std(0) > APART).sum()), 2)]
    shown = features[most][:, used].double().numpy()
    films, units = (leaves_list(linkage(each, "average", optimal_ordering=True)) for each in (shown, shown.T))
    figure, _ = page(WIDTH, 0.6 + 0.17 * len(most), None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    axes.imshow(shown[films][:, units], cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(most)), [shorten(names[most[film]], 45, placeholder="…") for film in films])
    axes.set_xticks([])
    axes.set_xlabel("hidden units, off (dark) to on (light)", fontsize=SMALL, color=MUTED)
    quiet(axes)
    axes.grid(False)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=SMALL)
    return figure

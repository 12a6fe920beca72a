"""The pictures and the table of the norb-jittered recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.data.norb import NAMES
from harmonium.files import read_tensors
from harmonium.recipes.norb_jittered.jittered_views import CAMERAS, SIDE
from harmonium.recipes.norb_jittered.tuned_nets import STARTS
from harmonium.recipes.norb_jittered.wrong_pairs import KINDS, percent
from harmonium.recipes.shared.feature_layers import phase
from harmonium.recipes.shared.mcnemar import mcnemar
from harmonium.recipes.shared.norb_views import Views
from harmonium.report import Section, filters, image_grid, learning_curves
from harmonium.report.style import INK, LABEL, LINES, MUTED, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

WORDS = {
    "one_layer": "one layer, not pre-trained",
    "one_layer_pretrained": "one layer, pre-trained",
    "two_layers": "two layers, not pre-trained",
    "two_layers_first_pretrained": "two layers, the first pre-trained",
    "two_layers_pretrained": "two layers, both pre-trained",
}
ACROSS, SHOWN = 8, 60  # views of a category, and units of a kind
MOVED = {"rectified": -0.14, "binary": 0.14}  # where a kind's dot stands in its row


def sections(run: Run, views: Views, wrong: Mapping[str, Tensor], published: Mapping[str, float], *, toys: bool) -> list[Section]:
    """The report's parts, of a finished or an unfinished run.

    Parameters
    ----------
    run
        The folder of the run.
    views
        All views.
    wrong
        By kind and start, which pairs a net had wrong, as far as they are judged.
    published
        The paper's errors, by kind and start.
    toys
        Whether the views are of toy objects.
    """
    made = []
    if wrong:
        text = "Errors on toys that were not learnt from, with two standard errors, as if pairs were independent. Rings are the paper's" + (
            ", which are of NORB: these are toy objects, and only the order can be compared." if toys else "."
        )
        made.append(Section("Errors", text, [(by_start(wrong, published), "percent of the pairs wrong")], table(wrong, published)))
    made.append(
        Section(
            "Pairs",
            f"{'Toy objects' if toys else 'Pairs of NORB'} as they are shrunk, the left camera's image beside the right one's, a row for "
            "each category; the last one has no toy but that at the border.",
            [(some(views), ", ".join((*NAMES, "nothing")))],
        )
    )
    paths = {kind: run.checkpoint(phase("", kind, 0)) for kind in KINDS}
    shown = [
        (filters(read_tensors(path)[0]["model.coupling.weight"][: SIDE**2], (SIDE, SIDE), count=SHOWN), f"{kind} units")
        for kind, path in paths.items()
        if path.exists()
    ]
    if shown:
        text = "What units of the first layer respond to in the left camera's image, learnt without labels; those with the largest weights."
        made.append(Section("Features", text, shown))
    curves = {name: rows for name, rows in run.histories().items() if len(rows) > 1}
    if curves:
        made.append(Section("Learning", figures=[(learning_curves(curves), "the figures of each epoch")]))
    return made


def beside(pixels: Tensor) -> Tensor:
    """Both cameras' images side by side as one: (pairs, 2 · side · side) in the order of either."""
    return pixels.reshape(-1, CAMERAS, SIDE, SIDE).transpose(1, 2).flatten(1)


def some(views: Views) -> Figure:
    """Pairs of training toys, a row for each category and one without a toy."""
    rows = [(views.training & (views.categories == category)).nonzero().squeeze(1) for category in range(len(NAMES) + 1)]
    across = min(ACROSS, *map(len, rows))
    spaced = [each[torch.linspace(0, len(each) - 1, across).long()] for each in rows]
    return image_grid(beside(views.pixels[torch.cat(spaced)]).reshape(-1, SIDE, CAMERAS * SIDE).numpy(), columns=across, limits=(0, 255))


def table(wrong: Mapping[str, Tensor], published: Mapping[str, float]) -> list[dict[str, object]]:
    """A row for each start: both errors, the paper's, the difference and McNemar's p."""
    made = []
    for start, words in WORDS.items():
        row: dict[str, object] = {"net": words}
        for kind in KINDS:
            name = f"{kind}_{start}"
            if name in wrong:
                row |= {f"{kind} %": "{:.2f} ± {:.2f}".format(*percent(wrong[name])), f"{kind}, published": published[name]}
        rectified, binary = (wrong.get(f"{kind}_{start}") for kind in KINDS)
        if rectified is not None and binary is not None:
            row["binary less rectified"] = "{:.2f} ± {:.2f}".format(*percent(binary.double() - rectified.double()))
            row["McNemar's p"] = f"{mcnemar(rectified, binary):.2g}"
        made.append(row)
    return made


def by_start(wrong: Mapping[str, Tensor], published: Mapping[str, float]) -> Figure:
    """A dot for each net with two standard errors, both kinds in a row, and rings at the paper's errors."""
    figure, _ = page(WIDTH, 1.1 + 0.5 * len(STARTS), None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    for kind, colour in zip(KINDS, LINES, strict=False):
        places = [place for place, start in enumerate(STARTS) if f"{kind}_{start}" in wrong]
        rows = [place + MOVED[kind] for place in places]
        names = [f"{kind}_{tuple(STARTS)[place]}" for place in places]
        errors = [percent(wrong[name]) for name in names]
        spans = [2 * error for _, error in errors]
        axes.errorbar([mean for mean, _ in errors], rows, xerr=spans, fmt="o", color=colour, markersize=6, capsize=3, label=f"{kind} units")
        for (mean, _), row in zip(errors, rows, strict=True):
            axes.annotate(f"{mean:.1f}", (mean, row), (0, 6), textcoords="offset points", ha="center", fontsize=SMALL)
        known = [published[name] for name in names]
        axes.plot(known, rows, "o", markerfacecolor="none", markeredgecolor=colour, markersize=7, label=f"{kind} units, published, of NORB")
    axes.set_yticks(range(len(STARTS)), [WORDS[start] for start in STARTS])
    axes.set_ylim(len(STARTS) - 0.5, -0.6)
    axes.set_xlabel("error (%)", fontsize=SMALL, color=MUTED)
    axes.legend(frameon=False, fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.4, -0.18), ncols=4)
    quiet(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelcolor=INK, labelsize=LABEL)
    return figure

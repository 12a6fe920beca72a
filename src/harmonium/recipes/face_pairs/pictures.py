"""The pictures and the table of the face-pairs recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.models import RBM
from harmonium.recipes.verification.cropped_faces import SHAPE
from harmonium.report import Section, fantasies, image_grid
from harmonium.report.style import INK, LABEL, LINES, SMALL, page, quiet

NAMES = {
    "pairs": "rate-coded RBM of pairs",
    "pairs_non_negative": "the same, no negative weights",
    "correlation": "correlation",
    "eigenfaces": "eigenfaces",
    "fisherfaces": "Fisherfaces",
    "differences": "density of differences",
}
SHOWN = 24  # hidden units
Rows = Sequence[Mapping[str, float]]


def sections(rows: Rows, faces: Tensor, machines: Mapping[str, RBM], shape: Sequence[int]) -> list[Section]:
    """The report's parts. `faces`: (people, 10, pixels), those identified in the first split; `shape` of a face as the machines see it."""
    return [
        Section(
            "Errors",
            "How often a photograph is taken for another of ten people, of whom the gallery has one photograph each. A point is a split, "
            "the line the mean. Splits share people, so that standard errors are those of splits, not of people.",
            [(by_split(rows), "percent wrong in each split")],
            table(rows),
        ),
        Section(
            "Faces",
            figures=[(fantasies(faces.unflatten(-1, SHAPE), limits=(-2.5, 2.5), row="person"), "the people identified in the first split")],  # type: ignore[no-untyped-call]
        ),
        Section(
            "Features",
            "What hidden units ask for in the one photograph (left) and the other (right), red for light; those with the largest weights.",
            [(both_sides(rbm, shape), NAMES[name]) for name, rbm in machines.items()],
        ),
    ]


def table(rows: Rows) -> list[dict[str, object]]:
    """A row of each way to compare: the mean over the splits, its standard error, and what it errs more than the machine of pairs."""
    found: list[dict[str, object]] = []
    for key, name in NAMES.items():
        more = [row[key] - row["pairs"] for row in rows]
        found.append({"by": name, "wrong %": spread([row[key] for row in rows]), "more than the RBM of pairs": spread(more)})
    return found


def spread(values: Sequence[float]) -> str:
    """Mean ± standard error."""
    return f"{fmean(values):.2f} ± {stdev(values) / math.sqrt(len(values)):.2f}"


def by_split(rows: Rows) -> Figure:
    """Errors of each way to compare."""
    height = 2.8
    figure, head = page(7.0, height, None)
    axes = figure.add_axes((0.36, 0.18, 0.59, (height - 0.7) / (height + head)))
    quiet(axes)
    for place, key in enumerate(reversed(NAMES)):
        values = [row[key] for row in rows]
        axes.plot(values, [place] * len(values), "o", color=LINES[0], markersize=4, alpha=0.5)
        axes.plot([fmean(values)] * 2, [place - 0.3, place + 0.3], color=INK)
        axes.annotate(f"{fmean(values):.1f}", (max(values), place), (7, 0), textcoords="offset points", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(NAMES)), [NAMES[key] for key in reversed(NAMES)], fontsize=LABEL)
    axes.set_xlabel("percent identified wrongly", fontsize=LABEL, color=INK)
    return figure


def both_sides(rbm: RBM, shape: Sequence[int]) -> Figure:
    """The weights of hidden units into the two photographs, side by side, each unit over its largest."""
    weight = rbm.coupling.get_parameter("weight").detach()
    largest = weight.norm(dim=0).argsort(descending=True)[:SHOWN]
    sides = weight[:, largest].T.reshape(-1, 2, *shape)
    joined = torch.cat([sides[:, 0], torch.full((len(sides), shape[0], 1), float("nan")), sides[:, 1]], dim=2)
    return image_grid(joined / sides.abs().amax((1, 2, 3))[:, None, None], columns=8, limits=(-1.0, 1.0), diverging=True)

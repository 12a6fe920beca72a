"""The pictures of the pretraining-trajectories recipe: the two maps of all nets after all epochs, coloured by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.recipes.pretraining_trajectories.function_space import Points, distances
from harmonium.report import Section
from harmonium.report.style import HAIR, INK, LABEL, LINES, SMALL, WIDTH, page, quiet

WORDS = {"random": "without pre-training", "pretrained": "with pre-training"}
NAMES = {
    "tsne": ("t-SNE", "Near points stay near; distances between far ones mean little."),
    "isomap": ("Isomap", "Distances along the cloud are kept, so that the size of a region means something."),
}


def sections(points: Points | None, planes: Mapping[str, Tensor], kinds: Sequence[str]) -> list[Section]:
    """The report's parts."""
    if points is None:
        return [Section("Nothing yet", "The nets have not all learnt yet.")]
    return [
        *(
            Section(
                f"All nets after all epochs: {name}",
                f"One map of all points, drawn twice so that neither kind hides the other. {text}",
                [(map_of(points, planes[key], kinds), f"{name} of all nets after all epochs, coloured by epoch")],
            )
            for key, (name, text) in NAMES.items()
        ),
        Section(
            "Do they part or meet?",
            "Root mean square distance over the images between what two nets say, the mean over pairs of nets, after each epoch.",
            [(apart(points, kinds), "mean distance between two nets after each epoch")],
        ),
    ]


def map_of(points: Points, plane: Tensor, kinds: Sequence[str]) -> Figure:
    """A panel for each kind, the other kind's points grey."""
    figure, _ = page(WIDTH, 4.3, None)
    epochs = int(points.epoch.max())
    shown = Normalize(0, epochs)
    for number, kind in enumerate(kinds):
        axes = figure.add_axes((0.01 + 0.46 * number, 0.02, 0.45, 0.9))
        own = points.kind == number
        axes.scatter(plane[~own, 0], plane[~own, 1], s=3, color=HAIR, linewidths=0)
        axes.scatter(plane[own, 0], plane[own, 1], s=4, c=points.epoch[own], cmap="viridis", norm=shown, linewidths=0)
        axes.set_title(WORDS[kind], fontsize=LABEL, color=INK, loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(HAIR)
    scale = figure.colorbar(ScalarMappable(shown, "viridis"), cax=figure.add_axes((0.94, 0.1, 0.015, 0.74)))
    scale.set_label("epoch", fontsize=SMALL, color=INK)
    scale.ax.tick_params(labelsize=SMALL, length=0)
    scale.outline.set_visible(False)
    return figure


def apart(points: Points, kinds: Sequence[str]) -> Figure:
    """Mean distances within each kind and between the kinds, against the epoch."""
    figure, _ = page(6.0, 3.0, None)
    axes = figure.add_axes((0.11, 0.16, 0.86, 0.79))
    quiet(axes)
    rows = []
    for epoch in range(int(points.epoch.max()) + 1):
        here = points.at(points.epoch == epoch)
        between, others = distances(here.functions), ~torch.eye(len(here.net), dtype=torch.bool)
        one, two = here.kind[:, None], here.kind
        rows.append([between[(one == a) & (two == b) & others].mean().item() for a, b in ((0, 0), (1, 1), (0, 1))])
    names = (*(f"two nets {WORDS[kind]}" for kind in kinds), "one of each")
    for values, name, colour in zip(zip(*rows, strict=True), names, (LINES[1], LINES[0], LINES[6]), strict=True):
        axes.plot(values, label=name, color=colour)
    axes.set_xlabel("epoch", fontsize=LABEL, color=INK)
    axes.set_ylabel("distance", fontsize=LABEL, color=INK)
    axes.set_ylim(0)
    axes.legend(fontsize=SMALL, frameon=False, labelcolor=INK)
    return figure

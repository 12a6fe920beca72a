"""The pictures of the clusters: whom they hold, and what the components look for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.models import MixtureOfRBMs
from harmonium.recipes.implicit_mixture.clusterings import METHODS, purity_percent, table
from harmonium.report import Section
from harmonium.report.style import INK, LABEL, MUTED, SMALL, WIDTH, page
from harmonium.report.tiles import draw

WORDS = {"mixture": "mixture of RBMs", "k_means": "k-means", "bernoullis": "mixture of Bernoullis"}
MEMBERS, FEATURES = 10, 10  # of each cluster that are shown


def sections(mixture: MixtureOfRBMs, images: Tensor, labels: Tensor, found: Mapping[str, Tensor]) -> list[Section]:
    """The report's parts.

    Parameters
    ----------
    mixture
        What was learnt.
    images, labels
        (images, pixels), from 0 to 1, and the digit of each.
    found
        The cluster of each by method, once it is known.
    """
    made = []
    if found:
        counts = {name: table(found[name], labels, mixture.hidden.choices) for name in METHODS if name in found}
        text = "How many judged images of each digit each cluster holds. Clusters stand in the order of their commonest digit."
        made.append(Section("Clusters and classes", text, [(beside_classes(counts), "images by cluster and digit")]))
    if METHODS[0] in found:
        text = (
            "One row a component: the mean of its images, the first of them, and those of its features with the largest weights, red where "
            "a hidden unit asks for ink and blue where it asks for none. A feature serves the images of its own component alone."
        )
        own = counts[METHODS[0]]
        order = in_order(own)
        digits = [str(int(own[k].argmax())) if own[k].sum() else "none" for k in order]
        members = members_drawn(shown_members(images, found[METHODS[0]], order), digits)
        made.append(Section("Components", text, [(members, "means and members"), (features_drawn(mixture, order, digits), "features")]))
    return made


def in_order(counts: Tensor) -> list[int]:
    """Clusters by their commonest digit, and among those of one digit by size."""
    return sorted(range(len(counts)), key=lambda k: (int(counts[k].argmax()), -int(counts[k].sum())))


def beside_classes(counts: Mapping[str, Tensor]) -> Figure:
    """A table of clusters and digits for each method."""
    components = len(next(iter(counts.values())))
    figure, _ = page(WIDTH, 1.0 + 0.17 * components, None)
    figure.set_layout_engine("constrained")
    panels: Any = figure.subplots(1, len(counts), squeeze=False)[0]
    for axes, (name, each) in zip(panels, counts.items(), strict=True):
        placed = each[in_order(each)].numpy()
        axes.imshow(placed, cmap="Blues", aspect="auto")
        for row, column in zip(*(placed > 0).nonzero(), strict=True):
            size = placed[row, column]
            axes.text(column, row, size, ha="center", va="center", fontsize=5.5, color="w" if size > 0.5 * placed.max() else INK)
        axes.set_title(f"{WORDS[name]}: purity {purity_percent(each):.1f} %", fontsize=LABEL, color=INK)
        axes.set_xticks(range(placed.shape[1]))
        axes.set_yticks([])
        axes.set_xlabel("digit", fontsize=SMALL, color=MUTED)
        axes.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED)
        axes.grid(False)
    return figure


def shown_members(images: Tensor, found: Tensor, order: list[int]) -> Tensor:
    """(components, 1 + MEMBERS, 28, 28): the mean of each cluster and its first images, blank where it has fewer."""
    rows = torch.full((len(order), 1 + MEMBERS, images.shape[1]), float("nan"))
    for row, k in zip(rows, order, strict=True):
        own = images[found == k]
        row[0] = own.mean(0)
        row[1 : 1 + len(own[:MEMBERS])] = own[:MEMBERS]
    return rows.reshape(len(order), 1 + MEMBERS, 28, 28)


def members_drawn(tiles: Tensor, digits: list[str]) -> Figure:
    """Means and members, one row a component, named by its commonest digit."""
    return draw(tiles.double().numpy(), limits=(0.0, 1.0), row_labels=digits)


def features_drawn(mixture: MixtureOfRBMs, order: list[int], digits: list[str]) -> Figure:
    """The features of each component that have the largest weights, each over its largest."""
    whole = mixture.coupling.get_parameter("weight").detach()
    weight = whole.reshape(784, mixture.hidden.choices, -1)[:, order, 1:].permute(1, 2, 0)  # without b_k
    largest = weight.norm(dim=2).argsort(1, descending=True)[:, :FEATURES]
    shown = weight.gather(1, largest[..., None].expand(-1, -1, weight.shape[2]))
    scaled = shown / shown.abs().amax(2, keepdim=True).clamp_min(1e-12)
    return draw(scaled.reshape(*scaled.shape[:2], 28, 28).double().numpy(), limits=(-1.0, 1.0), diverging=True, row_labels=digits)

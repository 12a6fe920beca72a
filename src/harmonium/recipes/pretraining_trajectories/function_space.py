"""A net as what it computes: its class probabilities on some images, one after another, are a point. How points of many nets lie."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

Plane = np.ndarray[tuple[int, int], np.dtype[np.float64]]
DIMENSIONS = 50  # principal components that are embedded


class Points(NamedTuple):
    """All points in one list. `functions`: (points, images · classes). `net`, `kind`, `epoch`: the number of each point's own."""

    functions: Tensor
    net: Tensor
    kind: Tensor
    epoch: Tensor

    def at(self, which: Tensor) -> Points:
        """Those for which `which` is true."""
        return Points(*(each[which] for each in self))


def gathered(probabilities: Tensor) -> Points:
    """The points of probabilities (kinds, epochs, nets, images, classes), whose distances are root mean squares over the images."""
    kinds, epochs, nets, images, _ = probabilities.shape
    kind, epoch, net = torch.meshgrid(torch.arange(kinds), torch.arange(epochs), torch.arange(nets), indexing="ij")
    return Points(
        probabilities.float().flatten(3).flatten(0, 2) / images**0.5, (net + kind * nets).flatten(), kind.flatten(), epoch.flatten()
    )


def distances(points: Tensor) -> Tensor:
    """Between all pairs of rows: (points, points). In double precision, because near points differ by little of what both are."""
    x = points.double() - points.double().mean(0)
    squares = x.square().sum(1)
    return (squares[:, None] + squares - 2 * x @ x.T).clamp_min_(0).sqrt_()


def share_beside_others(points: Points, apart: Tensor | None = None) -> float:
    """The share of points whose nearest neighbour, among the points of all other nets, is of the other kind.

    `apart`: distances between them, by default those of their functions.
    """
    apart = distances(points.functions) if apart is None else apart.clone()
    apart[points.net[:, None] == points.net] = torch.inf
    return (points.kind[apart.argmin(1)] != points.kind).double().mean().item()


def mean_distances(points: Points) -> tuple[float, float, float]:
    """Mean distances between two nets of kind 0, of kind 1, and of one each. One point a net."""
    apart, kind = distances(points.functions), points.kind
    others = ~torch.eye(len(kind), dtype=torch.bool)
    return (
        apart[(kind[:, None] == 0) & (kind == 0) & others].mean().item(),
        apart[(kind[:, None] == 1) & (kind == 1) & others].mean().item(),
        apart[kind[:, None] != kind].mean().item(),
    )


def principal_components(functions: Tensor) -> Plane:
    """(points, at most `DIMENSIONS`)."""
    x = functions.double() - functions.double().mean(0)
    values, vectors = torch.linalg.eigh(x @ x.T if len(x) <= x.shape[1] else x.T @ x)
    kept = min(DIMENSIONS, len(values))
    values, vectors = values[-kept:].flip(0).clamp_min(0), vectors[:, -kept:].flip(1)
    found = vectors * values.sqrt() if len(x) <= x.shape[1] else x @ vectors
    plane: Plane = found.numpy()
    return plane


def tsne(components: Plane, seed: int) -> Plane:
    """Near points stay near (van der Maaten & Hinton 2008): (points, 2)."""
    from sklearn.manifold import TSNE  # here, so that the recipe's options are read without scikit-learn

    perplexity = min(30.0, (len(components) - 1) / 3)
    found: Plane = TSNE(2, perplexity=perplexity, init="pca", random_state=seed % 2**32).fit_transform(components)
    return found


def isomap(components: Plane) -> tuple[Plane, int]:
    """Distances along the cloud stay as they are (Tenenbaum, de Silva & Langford 2000): (points, 2), and the number of neighbours.

    The least of 10, 20, 40 ... for which neighbours connect all points.
    """
    from sklearn.manifold import Isomap
    from sklearn.neighbors import kneighbors_graph

    neighbours = min(10, len(components) - 1)
    while neighbours < len(components) - 1 and _parts(kneighbors_graph(components, neighbours)) > 1:
        neighbours = min(2 * neighbours, len(components) - 1)
    found: Plane = Isomap(n_neighbors=neighbours, n_components=2).fit_transform(components)
    return found, neighbours


def _parts(graph: Any) -> int:
    count, _ = connected_components(graph, directed=False)
    return int(count)

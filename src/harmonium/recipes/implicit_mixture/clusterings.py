"""The clusters that each method finds, and how far they agree with the classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.implicit_mixture.mixture_of_bernoullis import fit_bernoullis
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run

METHODS = ("mixture", "k_means", "bernoullis")


def clusters(run: Run, method: str, find: Callable[[], Tensor]) -> Tensor:
    """The cluster of each judged image, (images,), found once and then read from the run."""
    path = run.checkpoint(f"{method} clusters")
    if not path.exists():
        write_tensors(path, {"clusters": find()}, {})
    return read_tensors(path)[0]["clusters"]


def k_means(images: Tensor, judged: Tensor, components: int, *, starts: int, seed: int) -> Tensor:
    """The nearest mean of each judged image, of the best of several starts on the images learnt from.

    Parameters
    ----------
    images, judged
        (images, pixels) each, from 0 to 1.
    components, starts, seed
        Means, starts of which the best one counts, and the seed.
    """
    machine = KMeans(components, n_init=starts, random_state=seed % 2**32).fit(images.numpy())
    return torch.from_numpy(machine.predict(judged.numpy()).astype(np.int64))


def bernoullis(images: Tensor, judged: Tensor, components: int, *, starts: int, seed: int) -> Tensor:
    """The same of a mixture of Bernoullis.

    Parameters
    ----------
    images, judged, components, starts, seed
        As for `k_means`.
    """
    mixture, _ = fit_bernoullis(images, components, starts=starts, sweeps=200, seed=seed)
    return mixture.cluster(judged)


def table(found: Tensor, labels: Tensor, components: int, classes: int = 10) -> Tensor:
    """How many images of each class each cluster has: (components, classes)."""
    return torch.bincount(found * classes + labels, minlength=components * classes).reshape(components, classes)


def purity_percent(counts: Tensor) -> float:
    """The share of images whose class is the commonest of their cluster. `counts`: (components, classes)."""
    return 100 * float(counts.amax(1).sum() / counts.sum())


def metrics(found: Mapping[str, Tensor], labels: Tensor, components: int, judged_on: str) -> list[Metric]:
    """Purity and normalised mutual information of each method, and the clusters that have no image. The mixture's names have no suffix.

    Parameters
    ----------
    found
        The cluster of each judged image by method, (images,).
    labels
        The class of each, (images,).
    components
        Clusters of each method.
    judged_on
        What the names begin with, "test" or "validation".
    """
    rows: list[Metric] = []
    for method, each in found.items():
        suffix = "" if method == METHODS[0] else f"_{method}"
        counts = table(each, labels, components)
        information = float(normalized_mutual_info_score(labels.numpy(), each.numpy()))
        rows += [(f"{judged_on}_purity_percent{suffix}", purity_percent(counts), "%"), (f"{judged_on}_nmi{suffix}", information, "")]
        rows.append((f"empty_clusters{suffix}", float((counts.sum(1) == 0).sum()), "clusters"))
    return rows

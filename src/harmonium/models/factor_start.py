"""Where the EM algorithm of a mixture of factor analysers starts."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.factor_cases import Cases
from harmonium.models.factor_posterior import Analysers
from harmonium.seeds import derive, fresh_generator

LOOKED_AT = 20_000  # cases, of which k-means makes the clusters
LEAST = 0.1  # of an equal share of the cases: a cluster with fewer is no component
ROUNDING = 1e-12  # of a mean: a standard deviation below this share of it is no variation


class Scale(NamedTuple):
    """The location and spread of data: mean and variance of each unit, (visible,) float64."""

    mean: Tensor
    variance: Tensor


def scale_of(cases: Cases, like: Tensor) -> Scale:
    """The scale of data, with the mean variance of the other units for a unit that does not vary.

    Raises a ValueError for a unit that no case saw, and for data that do not vary or are too large.
    """
    if cases.seen is not None and not bool(cases.seen.any(0).all()):
        unseen = (~cases.seen.any(0)).nonzero()[:, 0].tolist()
        raise ValueError(f"unit {unseen[0]} is missing in every case, so nothing can be learnt of it: leave it out")
    mean, variance = cases.moments(like)
    constant = variance <= (ROUNDING * mean).square()
    if bool(constant.all()) or not bool(variance.isfinite().all()):
        raise ValueError(f"the variances of the data sum to {variance.sum().item()}: expected cases that differ, of finite variance")
    return Scale(mean, torch.where(constant, variance[~constant].mean(), variance))


def start_at_clusters(cases: Cases, like: Analysers, scale: Scale, *, shared: bool, seed: int) -> Analysers:
    """A component for each cluster of k-means, half of whose variance random loadings explain.

    K-means puts the components apart at once, and its clusters are those of standardised data, so that units of measurement have no
    effect. Clusters of a few cases far out, which data of heavy tails have, give way to halves of large ones: see `without_small`.
    Missing values stand at their mean. At most 20,000 cases are looked at. One case of the data's own variance is added to each cluster,
    so that no variance is zero.

    Parameters
    ----------
    cases
        The data.
    like
        Analysers with the numbers of components and factors.
    scale
        Of the data.
    shared
        Whether the components share their variances.
    seed
        Seed of the clusters and of the loadings.
    """
    from sklearn.cluster import KMeans  # here: only learning needs it
    from sklearn.exceptions import ConvergenceWarning

    components, visible, factors = like.loadings.shape
    generator, deviation = fresh_generator(scale.mean, derive(seed, 0)), scale.variance.sqrt()
    chosen = torch.randperm(len(cases.v), generator=generator, device=scale.mean.device)[:LOOKED_AT].to(cases.v.device)
    few = Cases(cases.v[chosen], None if cases.seen is None else cases.seen[chosen])
    rows = torch.cat([(block.v - scale.mean) / deviation * block.weights() for block in few.blocks(visible, scale.mean)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct cases than clusters: their loadings tell them apart
        clusters = KMeans(components, n_init=1, random_state=derive(seed, 1) % 2**32).fit(rows.numpy(force=True))
    labels = without_small(rows, torch.from_numpy(clusters.labels_).long().to(rows.device), components)
    sizes, centres = centres_of(rows, labels, components)
    spread = torch.zeros_like(centres).index_add_(0, labels, (rows - centres[labels]).square())
    within = ((spread.sum(0) + 1) / (len(rows) + 1)).expand_as(centres) if shared else (spread + 1) / (sizes[:, None] + 1)
    explained = within / 2 if factors else torch.zeros_like(within)
    loadings = torch.randn(components, visible, factors, generator=generator, dtype=rows.dtype, device=rows.device)
    return Analysers(
        ((sizes + 1) / (len(rows) + components)).log(),
        scale.mean + deviation * centres,
        loadings * (deviation * (explained / max(1, factors)).sqrt())[..., None],
        scale.variance * (within - explained),
    )


def without_small(rows: Tensor, labels: Tensor, components: int) -> Tensor:
    """Clusters none of which has fewer than a tenth of an equal share of the cases: (cases,) int64.

    The cases of a smaller one go to the nearest other centre, and its number to the half of the largest cluster that is further from the
    centre of that: where data have heavy tails and no clusters, components then begin at different contrasts, and each with many cases.

    Parameters
    ----------
    rows
        (cases, visible), at least as many as components.
    labels
        (cases,) int64, the clusters, of which some may be empty.
    components
        Number of clusters.
    """
    labels = labels.clone()
    while True:
        sizes, centres = centres_of(rows, labels, components)
        smallest, largest = int(sizes.argmin()), int(sizes.argmax())
        if sizes[smallest] >= LEAST * len(rows) / components:
            return labels
        own = (labels == smallest).nonzero()[:, 0]
        far = torch.cdist(rows[own], centres).masked_fill(sizes == 0, float("inf"))
        far[:, smallest] = float("inf")
        labels[own] = far.argmin(1)
        split = (labels == largest).nonzero()[:, 0]
        order = (rows[split] - centres[largest]).square().sum(1).argsort(stable=True)
        labels[split[order[len(split) // 2 :]]] = smallest


def centres_of(rows: Tensor, labels: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """How many cases each cluster has, and their mean, zero where there is none: (components,) and (components, visible)."""
    sizes = torch.bincount(labels, minlength=components).to(rows)
    return sizes, torch.zeros(components, rows.shape[1]).to(rows).index_add_(0, labels, rows) / sizes.clamp_min(1)[:, None]

"""What faces are compared by beside the machine of pairs: correlation, eigenfaces, Fisherfaces, and the probability of a difference."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor
from torch.nn.functional import normalize

from harmonium.data.orl_faces import OF_EACH


@dataclasses.dataclass(frozen=True)
class Components:
    """Numbers of principal components."""

    eigenfaces: int = 150
    """Each divided by its standard deviation."""
    fisherfaces: int = 50
    """That discriminant analysis sees."""
    differences: int = 5
    """Of the differences between two photographs of one person."""


def likenesses(learnt: Tensor, judged: Tensor, components: Components) -> dict[str, Tensor]:
    """(photographs, photographs) of those judged, by each way to compare.

    Parameters
    ----------
    learnt, judged
        (people · 10, pixels) each, person by person.
    components
        How many of each kind.
    """
    whitened = PCA(components.eigenfaces, svd_solver="full", whiten=True).fit(learnt.numpy())
    reduced = PCA(components.fisherfaces, svd_solver="full").fit(learnt.numpy())
    people = np.repeat(np.arange(len(learnt) // OF_EACH), OF_EACH)
    discriminant = LinearDiscriminantAnalysis(solver="eigen").fit(reduced.transform(learnt.numpy()), people)
    return {
        "correlation": cosines(judged),
        "eigenfaces": cosines(torch.from_numpy(whitened.transform(judged.numpy()))),
        "fisherfaces": cosines(torch.from_numpy(discriminant.transform(reduced.transform(judged.numpy())))),
        "differences": of_differences(learnt, judged, components.differences),
    }


def cosines(features: Tensor) -> Tensor:
    """Of each with each. Of crops, which have mean 0, it is the correlation."""
    unit = normalize(features, dim=1)
    return unit @ unit.T


def of_differences(learnt: Tensor, judged: Tensor, components: int) -> Tensor:
    """The log-density of each difference under probabilistic PCA of the differences within people (δPPCA in Teh & Hinton 2001).

    Parameters
    ----------
    learnt, judged
        As for `likenesses`.
    components
        Of the differences.

    Returns
    -------
    Tensor
        (photographs, photographs), in nats, of those judged.
    """
    one, other = torch.triu_indices(OF_EACH, OF_EACH, 1)
    by_person = learnt.reshape(-1, OF_EACH, learnt.shape[1])
    within = (by_person[:, one] - by_person[:, other]).flatten(0, 1)
    machine = PCA(components, svd_solver="full").fit(torch.cat([within, -within]).numpy())
    between = (judged[:, None] - judged).flatten(0, 1)
    return torch.from_numpy(machine.score_samples(between.numpy())).reshape(len(judged), -1)

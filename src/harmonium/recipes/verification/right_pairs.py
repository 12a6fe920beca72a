"""How many pairs of faces are said rightly to be of one person or of two, by a net or by a threshold; and at other contrasts."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from harmonium.data import ImagePairs
from harmonium.learning import predict
from harmonium.recipes.verification.cropped_faces import Fold

Likeness = NDArray[np.float64]
CONTRASTS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # by which the second face of a pair is multiplied


def percent_right(said: Tensor, pairs: ImagePairs) -> float:
    """Of how many pairs it is said rightly whether they are of the same: `said`, (pairs,), 1 or true where that is said."""
    return 100 * (said == pairs.same).double().mean().item()


def at_contrasts(net: nn.Sequential, images: Tensor, pairs: ImagePairs) -> Tensor:
    """What a siamese net says of pairs whose second face has another contrast.

    Parameters
    ----------
    net
        Maps (pairs, 2, pixels) to (pairs, 2) unnormalised log-probabilities.
    images, pairs
        (images, pixels), each less its own mean, and the pairs among them.

    Returns
    -------
    Tensor
        (contrasts, pairs), the probability of the same person, the second face multiplied by each of `CONTRASTS`.
    """
    shown = images[pairs.images]
    return torch.stack([predict(net, shown * torch.tensor([[1.0], [factor]])).softmax(1)[:, 1] for factor in CONTRASTS])


def right_at_contrasts(probabilities: Tensor, pairs: ImagePairs) -> tuple[list[float], float]:
    """The percentage right at each contrast, and by how much the probability of a pair differs at most from that at its own contrast.

    Parameters
    ----------
    probabilities, pairs
        Of `at_contrasts`, (contrasts, pairs), and the pairs.
    """
    change = (probabilities - probabilities[CONTRASTS.index(1.0)]).abs().max().item()
    return [percent_right(each > 0.5, pairs) for each in probabilities], change


@torch.no_grad()
def features_of(net: nn.Sequential, images: Tensor) -> Tensor:
    """What a siamese net finds on each image: (images, features)."""
    found: Tensor = net[:-1](images)
    return found


def by_cosine(features: Tensor, fold: Fold) -> float:
    """The percentage right on the test pairs of who thresholds the cosine of features, (images, size), by the training pairs.

    Parameters
    ----------
    features
        (images, size).
    fold
        The pairs that the threshold is found on, and those judged on.
    """
    return by_threshold(cosines(features, fold.train), cosines(features, fold.test), fold)


def by_threshold(of_train: Likeness, of_test: Likeness, fold: Fold) -> float:
    """The percentage right on the test pairs of who thresholds a likeness of two faces, (pairs,), by the training pairs.

    Parameters
    ----------
    of_train, of_test
        (pairs,) each, greater for pairs that are more alike.
    fold
        Their pairs.
    """
    slope, offset = threshold(of_train, fold.train)
    return percent_right(torch.from_numpy(slope * of_test + offset > 0), fold.test)


def threshold(likeness: Likeness, pairs: ImagePairs) -> tuple[float, float]:
    """The w and b with which σ(w d + b) best says, of the likeness d, whether pairs are of the same: logistic regression."""
    machine = LogisticRegression(C=1e6).fit(likeness[:, None], pairs.same.numpy())
    return float(machine.coef_[0, 0]), float(machine.intercept_[0])


def cosines(features: Tensor, pairs: ImagePairs) -> Likeness:
    """The cosine between the features of the two images of each pair."""
    one, other = features.double()[pairs.images].unbind(1)
    return cosine_similarity(one, other, dim=-1).numpy()

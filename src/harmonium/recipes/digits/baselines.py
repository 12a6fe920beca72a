"""What simple models make of the same digits: the figures that a deep belief net has to beat."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from torch import Tensor

from harmonium.data import binarise
from harmonium.recipes.shared.labelled_split import Split


class Baselines(NamedTuple):
    """Errors in percent, log-probabilities in nats a judged case; of models learnt from the training images of the same split."""

    most_frequent: float
    """Error of always answering with the most frequent class."""
    naive_bayes: float
    """Error of naive Bayes: within a class pixels, black or white at half of full ink, are independent."""
    logistic_regression: float
    """Error of multinomial logistic regression on the grey levels."""
    independent_pixels: float
    """Nats of pixels that are independent, each on with its mean grey level."""
    class_pixels: float
    """Nats of naive Bayes' density, a mixture of the classes' independent pixels."""
    judge: Any
    """The logistic regression, to recognise fantasies with."""

    def recognised(self, images: Tensor, labels: Tensor) -> float:
        """Percent of images, (cases, pixels) from 0 to 1, that the logistic regression takes for what they were meant to be."""
        return 100 * float((self.judge.predict(images.numpy()) == labels.numpy()).mean())


def baselines(cases: Split) -> Baselines:
    """Learns them; a second's work, without a draw but that of the judged pixels, which are the ones the RBM is judged on."""
    x, y = cases.images.numpy() / 255, cases.labels.numpy()
    test, answers = cases.test_images.numpy() / 255, cases.test_labels.numpy()

    def error(predicted: Any) -> float:
        return 100 * float((predicted != answers).mean())

    judge = LogisticRegression(max_iter=5000).fit(x, y)
    naive = BernoulliNB(binarize=0.5).fit(x, y)
    pixels = binarise(cases.test_images, "fixed", seed=30).double()
    present = np.unique(y)
    log_prior = torch.tensor([np.log((y == label).mean()) for label in present])
    by_class = torch.stack([_log_probability(x[y == label], pixels) for label in present], dim=1)
    return Baselines(
        error(np.bincount(y).argmax()),
        error(naive.predict(test)),
        error(judge.predict(test)),
        _log_probability(x, pixels).mean().item(),
        (by_class + log_prior).logsumexp(1).mean().item(),
        judge,
    )


def _log_probability(x: Any, pixels: Tensor) -> Tensor:
    """Of each case's pixels, (cases, pixels) of 0 and 1, where pixel i is on with the mean of its grey levels x, one case of each added
    (Laplace): (cases,)."""
    p = torch.as_tensor((x.sum(0) + 1) / (len(x) + 2), dtype=torch.float64)
    return pixels @ p.log() + (1 - pixels) @ (-p).log1p()

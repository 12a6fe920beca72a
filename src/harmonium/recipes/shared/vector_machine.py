"""Support vector machines with a Gaussian kernel, searched on validation cases: scikit-learn's, on kernels made by matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.svm import SVC
from torch import Tensor

from harmonium.data.mnist_variations import Cases

BLOCK = 2048
Matrix = np.ndarray[Any, np.dtype[np.float64]]


class VectorMachine(NamedTuple):
    """What was found.

    Attributes
    ----------
    cost, width : float
        C, and γ times the number of pixels times their variance (1 is scikit-learn's "scale").
    validation, test : float
        Errors in percent; that of the test of a machine learnt from training and validation cases together.
    tried : list of tuple
        C, width and validation error of each machine of the search.
    """

    cost: float
    width: float
    validation: float
    test: float
    tried: list[tuple[float, float, float]]


def searched(train: Cases, valid: Cases, test: Cases, costs: Sequence[float], widths: Sequence[float]) -> VectorMachine:
    """The best C and γ on the validation cases; then a machine of all cases but the test's, as in Larochelle et al. (2007)."""
    scale = 1 / (train.images.shape[1] * train.images.var(correction=0).item())
    tried = []
    for width in widths:
        seen, held = (kernel(cases, train.images, width * scale) for cases in (train.images, valid.images))
        for cost in costs:
            machine = SVC(C=cost, kernel="precomputed").fit(seen, train.labels.numpy())
            tried.append((cost, width, _error(machine.predict(held), valid.labels)))
    cost, width, validation = min(tried, key=lambda each: each[2])
    every = Cases(torch.cat([train.images, valid.images]), torch.cat([train.labels, valid.labels]))
    machine = SVC(C=cost, kernel="precomputed").fit(kernel(every.images, every.images, width * scale), every.labels.numpy())
    predicted = [machine.predict(kernel(block, every.images, width * scale)) for block in torch.split(test.images, BLOCK)]
    return VectorMachine(cost, width, validation, _error(np.concatenate(predicted), test.labels), tried)


def kernel(cases: Tensor, others: Tensor, gamma: float) -> Matrix:
    """exp(-γ |x - y|²) of each pair, (cases, others) float64."""
    found = torch.empty(len(cases), len(others), dtype=torch.float64)
    squares = others.square().sum(1)
    for start in range(0, len(cases), BLOCK):
        block = cases[start : start + BLOCK]
        distance = (block.square().sum(1, keepdim=True) + squares - 2 * block @ others.T).clamp_(min=0)
        found[start : start + BLOCK] = (-gamma * distance).exp_()
    return found.numpy()


def _error(predicted: Any, labels: Tensor) -> float:
    return 100 * float((predicted != labels.numpy()).mean())

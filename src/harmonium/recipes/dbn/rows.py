"""The other rows of the slide's table, and which rows differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import pairwise

import torch
from sklearn.svm import SVC
from torch import Tensor, nn

from harmonium.learning import predict
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.mcnemar import mcnemar
from harmonium.runs.contract import Metric

PLAIN, DROPOUT, RANDOM = "backpropagation", "backpropagation with dropout", "backpropagation from random weights"
CONJUGATE = "backpropagation by conjugate gradients"
SVM = "support vectors"
SHORT = {  # in the order of the table
    RANDOM: "no_pretraining",
    SVM: "svm",
    CONJUGATE: "conjugate_gradients",
    PLAIN: "pretraining",
    DROPOUT: "dropout",
}


@dataclasses.dataclass(frozen=True)
class SupportVectors:
    """A support vector machine of the grey levels, with the radial kernel exp(-gamma · squared distance)."""

    cost: float = 10.0
    gamma: float = 0.02


def rows(cases: Split, nets: Mapping[str, nn.Module], svm: SupportVectors) -> list[Metric]:
    """The machine's error, and the p-value of McNemar's test between each row of the table and the next."""
    found = {phase: predict(net, cases.test_images).argmax(1) != cases.test_labels for phase, net in nets.items()}
    found[SVM] = svm_wrong(cases, svm)
    pairs = pairwise(row for row in SHORT if row in found)
    return [
        (f"{cases.name}_svm_error_percent", 100 * found[SVM].double().mean().item(), "%"),
        *((f"mcnemar_p_{SHORT[one]}_against_{SHORT[other]}", mcnemar(found[one], found[other]), "") for one, other in pairs),
    ]


def svm_wrong(cases: Split, svm: SupportVectors) -> Tensor:
    """Where a support vector machine learnt from all images is wrong: (judged cases,) bool. It has no seed."""
    if bool((cases.labels == cases.labels[0]).all()):  # one class, which it cannot learn
        return cases.test_labels.ne(cases.labels[0])
    machine = SVC(C=svm.cost, gamma=svm.gamma, cache_size=1000).fit(cases.images.numpy() / 255, cases.labels.numpy())
    return cases.test_labels.ne(torch.as_tensor(machine.predict(cases.test_images.numpy() / 255)))

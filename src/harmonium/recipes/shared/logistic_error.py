"""The error of multinomial logistic regression on features that were learnt without labels."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from harmonium.recipes.shared.feature_layers import LEAST, Split


@dataclasses.dataclass(frozen=True)
class Readout:
    """The penalty of the weights of multinomial logistic regression: half of it times their squares is added to the mean loss."""

    raw: float = 0.2
    """Of pixels and of silhouettes."""
    features: float = 0.003


def error_percent(values: Tensor, categories: Tensor, split: Split, penalty: float) -> float:
    """Of logistic regression that learns from some rows and is judged on others. Columns are standardised, small ones less."""
    shown = values[split.learnt_from]
    mean, deviation = shown.mean(0), shown.std(0)
    columns = ((values - mean) / (deviation + 0.1 * deviation.mean() + LEAST)).numpy()
    rows, held = (each.numpy() for each in split)
    truth = categories.numpy()
    machine = LogisticRegression(C=1 / (penalty * len(rows)), max_iter=2000).fit(columns[rows], truth[rows])
    return 100 * float(np.mean(machine.predict(columns[held]) != truth[held]))

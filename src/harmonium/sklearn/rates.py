"""The learning rate of an estimator that is given none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from harmonium.learning import MomentumSGD
from harmonium.units import Bernoulli, Spin, Unit

LOOKED_AT = 10_000  # rows
HIGHEST, SCALE = 0.1, 0.3
USUAL_BATCH = 100

MakeOptimizer = Callable[..., torch.optim.Optimizer]


def rate_of(X: Any, layers: Sequence[Unit], batch_size: int = USUAL_BATCH) -> float | None:
    """A rate for binary layers, with momentum 0.9: 0.3 / √E|v|², but at most 0.1; None for other layers, whose rate is that of `hm.fit`.

    A weight's gradient grows with the visible states, so its rate falls with their norm. Bytes count as level / 255. The noise of a
    gradient grows as batches get smaller: with fewer than 100 cases the rate is times √(batch_size / 100).
    """
    share = math.sqrt(min(1.0, batch_size / USUAL_BATCH))
    if not all(isinstance(layer, Bernoulli | Spin) for layer in layers):
        return None
    rows = X[:LOOKED_AT]
    known = np.nan_to_num(rows.data if hasattr(rows, "tocsr") else rows).astype(np.float64)
    square = float(np.square(known / (255.0 if X.dtype == np.uint8 else 1.0)).sum()) / rows.shape[0]
    return share * min(HIGHEST, SCALE / square**0.5) if square > 0 else share * HIGHEST


def optimizer_of(X: Any, layers: Sequence[Unit], rate: float | None, momentum: float, batch_size: int) -> MakeOptimizer | None:
    """SGD with the rate that is given or found, or None for the default of `hm.fit`."""
    found = rate_of(X, layers, batch_size) if rate is None else rate
    return None if found is None else partial(MomentumSGD, lr=found, momentum=momentum)

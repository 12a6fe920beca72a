"""What the estimators of stacks share: layers learnt greedily."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from harmonium.couplings.products import Precision
from harmonium.learning import greedy
from harmonium.models import DBN
from harmonium.sklearn.estimator import TYPES, epochs_of, len_of, visible_of
from harmonium.sklearn.kinds import Kind, kind_of, unit_of
from harmonium.sklearn.rates import optimizer_of


class StackEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator that learns a stack of RBMs, one layer at a time.

    The parameters are those of `DBNTransformer`.
    """

    def __init__(
        self,
        layers: Sequence[int] = (100, 100),
        *,
        visible: Kind = "auto",
        hidden: Kind = "bernoulli",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        weight_cost: float = 0.0,
        batch_size: int = 100,
        updates: int = 700,
        precision: Precision = "float32",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.layers = layers
        self.visible = visible
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_cost = weight_cost
        self.batch_size = batch_size
        self.updates = updates
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    def _checked(self, X: Any, reset: bool) -> Any:
        return self._scaled(validate_data(self, X, reset=reset, accept_sparse="csr", dtype=TYPES))

    def _scale(self, X: Any, weights: Any = None) -> Any:
        """Find how real-valued data are standardised, and do so: a net learns little from features of several hundred units."""
        kind = kind_of(X) if isinstance(self.visible, str) and self.visible == "auto" else self.visible
        self.scaler_ = None
        if isinstance(kind, str) and kind == "gaussian":
            self.scaler_ = StandardScaler(with_mean=not hasattr(X, "tocsr")).fit(X, sample_weight=weights)
        return self._scaled(X)

    def _scaled(self, X: Any) -> Any:
        check_is_fitted(self, "scaler_")
        return X if self.scaler_ is None else self.scaler_.transform(X)

    def _kinds(self, layers: int) -> list[Kind]:
        """The kind of each hidden layer, from the data upwards."""
        return [self.hidden] * layers

    def _learn_stack(self, X: Any, weights: Any) -> DBN:
        """The stack of all layers, in the floating-point type of the data. `weights`: one per row, or None."""
        sizes = tuple(self.layers) if isinstance(self.layers, Iterable) else ()
        if not sizes or any(not isinstance(size, Integral) or size < 1 for size in sizes):
            raise ValueError(f"layers are the numbers of hidden units, at least one layer of at least one unit, found {self.layers!r}")
        self.seed_ = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        units = [visible_of(self.visible, X), *(unit_of(kind, size) for kind, size in zip(self._kinds(len(sizes)), sizes, strict=True))]
        return greedy(
            X,
            [unit.double() if X.dtype == np.float64 else unit for unit in units],
            epochs=epochs_of(self.updates, len_of(X), self.batch_size),
            batch_size=min(self.batch_size, len_of(X)),
            optimizer=optimizer_of(X, units, self.learning_rate, self.momentum, self.batch_size),
            weight_cost=self.weight_cost,
            sample_weight=weights,
            precision=self.precision,
            seed=self.seed_,
            progress=self.verbose,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

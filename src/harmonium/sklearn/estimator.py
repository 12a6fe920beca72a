"""What the estimators share: data in, one RBM learnt by `hm.fit`, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from harmonium.couplings.products import Precision
from harmonium.learning import ContrastiveDivergence, Rule, TrainingState, fit
from harmonium.models import RBM
from harmonium.sklearn.kinds import Kind, kind_of, unit_of
from harmonium.sklearn.rates import MakeOptimizer, optimizer_of
from harmonium.sklearn.row_order import canonical
from harmonium.units import NOTHING, Given, Unit

BLOCK = 2048  # rows that are converted at once
TYPES = (np.float64, np.float32, np.uint8)


class RBMEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator that learns a restricted Boltzmann machine.

    The parameters are those of `RBMTransformer`.
    """

    missing = False
    """Whether NaN stands for a missing value."""
    states = False
    """Whether data must be states of the visible units, as what has a probability must."""
    usual_rule: Rule = ContrastiveDivergence()
    usual_momentum = 0.9
    usual_updates = 700
    averaging: float | None = None
    """The share of the last updates over which parameters are averaged."""

    def __init__(
        self,
        n_components: int = 100,
        *,
        visible: Kind = "auto",
        hidden: Kind = "bernoulli",
        rule: Rule | None = None,
        learning_rate: float | None = None,
        momentum: float | None = None,
        weight_cost: float = 0.0,
        batch_size: int = 100,
        updates: int | None = None,
        gradient: Literal["plain", "centred", "enhanced"] = "plain",
        precision: Precision = "float32",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_components = n_components
        self.visible = visible
        self.hidden = hidden
        self.rule = rule
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_cost = weight_cost
        self.batch_size = batch_size
        self.updates = updates
        self.gradient = gradient
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows of X.

        Parameters
        ----------
        X : array, sparse matrix or data frame
            (cases, features).
        y : object
            Not used.
        sample_weight : array, optional
            One weight per row. A row of weight 2 counts as two rows, and rows of weight zero are left out. The order of the rows does not
            matter.

        Returns
        -------
        object
            The estimator.
        """
        X, again = self._checked(X, reset=True), self.warm_start and hasattr(self, "model_")
        X, weights, _ = canonical(X, weights_of(X, sample_weight))
        updates = self.usual_updates if self.updates is None else self.updates
        epochs = epochs_of(updates, len_of(X), self.batch_size)
        if not again:
            self._begin(X)
        elif self.model_.visible.shape != (X.shape[1],):
            raise ValueError(f"warm_start goes on with {self.model_.visible.shape[0]} features, found {X.shape[1]}")
        return self._learn(X, weights, epochs)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows of X once, after all rows before. The parameters are those of `fit`."""
        first = not hasattr(self, "model_")
        X = self._checked(X, reset=first)
        if first:
            self._begin(X)
        return self._learn(X, weights_of(X, sample_weight), 1)

    def _checked(self, X: Any, reset: bool) -> Any:
        finite = "allow-nan" if self.missing else True
        return validate_data(self, X, reset=reset, accept_sparse=False if self.missing else "csr", dtype=TYPES, ensure_all_finite=finite)

    def _begin(self, X: Any) -> None:
        self.seed_ = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.model_ = machine_of(self, X, self.seed_)
        self.state_: TrainingState | None = None

    def _learn(self, X: Any, weights: Any, epochs: int) -> Self:
        rows, given = filled(X) if self.missing else (X, NOTHING)
        machine: Any = self.model_ if self.state_ is None else self.state_.model
        self.state_ = fit(
            machine,
            rows,
            negative=self.usual_rule if self.rule is None else self.rule,
            epochs=epochs + (0 if self.state_ is None else self.state_.epoch),
            batch_size=min(self.batch_size, len_of(X)),
            optimizer=self._optimizer(X) if self.state_ is None else None,
            weight_cost=self.weight_cost,
            sample_weight=weights,
            given=given,
            gradient=self.gradient,
            averaging=self.averaging,
            precision=self.precision,
            seed=self.seed_,
            state=self.state_,
            progress=self.verbose,
        )
        self.model_ = machine if self.averaging is None else cast("RBM", self.state_.averaged())
        return self

    def _optimizer(self, X: Any) -> MakeOptimizer | None:
        momentum = self.usual_momentum if self.momentum is None else self.momentum
        return optimizer_of(X, (self.model_.visible, self.model_.hidden), self.learning_rate, momentum, self.batch_size)

    @property
    def components_(self) -> Any:
        """The weights of a dense coupling, (n_components, features)."""
        return self._parameter(self.model_.coupling.get_parameter("weight").T)

    @property
    def intercept_hidden_(self) -> Any:
        """The hidden biases, (n_components,)."""
        return self._parameter(self.model_.hidden.get_parameter("bias"))

    @property
    def intercept_visible_(self) -> Any:
        """The visible biases, (features,)."""
        return self._parameter(self.model_.visible.get_parameter("bias"))

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.hidden.output_shape[0])

    def _parameter(self, tensor: Tensor) -> Any:
        return tensor.detach().cpu().numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.missing
        tags.input_tags.allow_nan = self.missing
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


def machine_of(estimator: RBMEstimator, X: Any, seed: int) -> RBM:
    """The machine that an estimator begins with, in the floating-point type of the data."""
    if not isinstance(estimator.n_components, Integral) or estimator.n_components < 1:
        raise ValueError(f"n_components is the number of hidden units, at least 1, found {estimator.n_components}")
    visible = visible_of(estimator.visible, X, estimator.states)
    rbm = RBM(visible, unit_of(estimator.hidden, estimator.n_components), seed=seed)
    return rbm.double() if X.dtype == np.float64 else rbm


def visible_of(kind: Kind, X: Any, states: bool = False) -> Unit:
    """The visible units of a matrix of data."""
    return unit_of(kind_of(X, states) if isinstance(kind, str) and kind == "auto" else kind, X.shape[1])


def epochs_of(updates: int, rows: int, batch_size: int) -> int:
    """So many epochs that there are at least `updates` updates."""
    if min(updates, batch_size) < 1:
        raise ValueError(f"expected at least one update and one case in a batch, found updates={updates} and batch_size={batch_size}")
    return math.ceil(updates / math.ceil(rows / batch_size))


def weights_of(X: Any, sample_weight: Any) -> Any:
    """One finite weight, at least zero, per row of X, (cases,), or None."""
    return None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)


def len_of(X: Any) -> int:
    """The number of rows, of a sparse matrix too."""
    return int(X.shape[0])


def dense(X: Any) -> Any:
    """A matrix that is not sparse."""
    return X.toarray() if hasattr(X, "toarray") else X


def filled(X: Any) -> tuple[Any, Given]:
    """Data with zeros where NaN stood, and what is missing."""
    gaps = np.isnan(X)
    return (np.where(gaps, X.dtype.type(0), X), Given(missing=torch.from_numpy(gaps))) if gaps.any() else (X, NOTHING)


def states(estimator: Any, X: Any) -> Iterator[Tensor]:
    """The rows of X as states of a fitted estimator's visible units, some at a time."""
    visible: Unit = estimator.model_.visible
    like = next(estimator.model_.parameters()).detach()
    for first in range(0, len_of(X), BLOCK):
        rows = X[first : first + BLOCK]
        held = torch.from_numpy(np.array(dense(rows)))
        visible.check(held)
        yield visible.from_data(held, like)


@torch.no_grad()
def each(estimator: Any, X: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """A function of the rows of X, some at a time, as an array: of the type of X, or float32 for bytes."""
    check_is_fitted(estimator, "model_")
    X = estimator._checked(X, reset=False)
    found = np.concatenate([function(rows).cpu().numpy() for rows in states(estimator, X)])
    return found.astype(np.float32 if X.dtype == np.uint8 else X.dtype, copy=False)

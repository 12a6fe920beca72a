"""Classification and regression by a net that begins as a stack of RBMs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings.products import Precision
from harmonium.learning import fine_tune, predict
from harmonium.nets import classifier, feed_forward
from harmonium.sklearn.estimator import TYPES, dense, epochs_of, len_of, weights_of
from harmonium.sklearn.kinds import Kind
from harmonium.sklearn.row_order import canonical
from harmonium.sklearn.stack_estimator import StackEstimator


class StackPredictor(StackEstimator):
    """A stack that is fine-tuned by backpropagation.

    The parameters are those of `DBNClassifier`.
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
        fine_tuning_rate: float = 0.1,
        fine_tuning_updates: int = 3000,
        precision: Precision = "float32",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            layers,
            visible=visible,
            hidden=hidden,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_cost=weight_cost,
            batch_size=batch_size,
            updates=updates,
            precision=precision,
            random_state=random_state,
            verbose=verbose,
        )
        self.fine_tuning_rate = fine_tuning_rate
        self.fine_tuning_updates = fine_tuning_updates

    def _tune(self, net: nn.Module, X: Any, targets: Tensor, weights: Any, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        rate = self.fine_tuning_rate
        fine_tune(
            net,
            torch.from_numpy(np.array(dense(X))),
            targets,
            loss=loss,
            sample_weight=weights,
            epochs=epochs_of(self.fine_tuning_updates, len_of(X), self.batch_size),
            head_epochs=epochs_of(max(self.fine_tuning_updates // 10, 1), len_of(X), self.batch_size),
            batch_size=min(self.batch_size, len_of(X)),
            optimizer=lambda groups: torch.optim.SGD(groups, lr=rate, momentum=0.5),
            precision=self.precision,
            seed=self.seed_,
            progress=self.verbose,
        )
        self.net_ = net

    def _outputs(self, X: Any) -> Tensor:
        check_is_fitted(self, "net_")
        return predict(self.net_, torch.from_numpy(np.array(dense(self._checked(X, reset=False)))))


class DBNClassifier(ClassifierMixin, StackPredictor):  # type: ignore[misc]
    """A classifier whose layers are learnt without labels first, and then by backpropagation.

    Parameters
    ----------
    layers, visible, hidden, learning_rate, momentum, weight_cost, batch_size, updates, precision, random_state, verbose
        As for `DBNTransformer`: the first stage.
    fine_tuning_rate : float, default 0.1
        The rate of SGD in the second stage.
    fine_tuning_updates : int, default 3000
        At least so many updates in the second stage, in whole epochs. In the first tenth the output layer learns alone.

    Attributes
    ----------
    model_ : DBN
        The stack as it was learnt without labels.
    net_ : torch.nn.Sequential
        The net.
    classes_ : numpy.ndarray
        The labels.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from harmonium.sklearn import DBNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> digits = DBNClassifier((100,), updates=500, fine_tuning_updates=500, random_state=0).fit(X[:1000] / 16, y[:1000])
    >>> bool(digits.score(X[1000:] / 16, y[1000:]) > 0.85)
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows and their labels.

        Parameters
        ----------
        X : array, sparse matrix or data frame
            (cases, features).
        y : array
            The label of each row, (cases,).
        sample_weight : array, optional
            One weight per row, (cases,), in both stages. A row of weight 2 counts as two rows, and rows of weight zero are left out. The
            order of the rows does not matter.

        Returns
        -------
        object
            The estimator.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=TYPES)
        check_classification_targets(y)
        labels, numbers = np.unique(y, return_inverse=True)
        X, weights, numbers = canonical(X, weights_of(X, sample_weight), numbers)
        kept, numbers = np.unique(numbers, return_inverse=True)
        self.classes_ = labels[kept]
        if len(kept) < 2:
            raise ValueError(f"a classifier needs rows of at least two classes, found one class: {self.classes_.tolist()[0]!r}")
        X = self._scale(X, weights)
        self.model_ = self._learn_stack(X, weights)
        net = classifier(self.model_, len(kept), seed=self.seed_)
        self._tune(net, X, torch.from_numpy(numbers), weights, F.cross_entropy)
        return self

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the classes' probabilities, (cases, classes)."""
        return self._outputs(X).double().log_softmax(1).numpy()

    def predict_proba(self, X: Any) -> Any:
        """The classes' probabilities, (cases, classes)."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: Any) -> Any:
        """The label of the most probable class of each row, (cases,)."""
        found = self._outputs(X).argmax(1).numpy()
        return self.classes_[found]


class DBNRegressor(RegressorMixin, StackPredictor):  # type: ignore[misc]
    """A regression whose layers are learnt without targets first, and then by backpropagation of the squared error.

    The parameters are those of `DBNClassifier`. Targets are standardised while the net learns.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from harmonium.sklearn import DBNRegressor
    >>> X, _ = load_digits(return_X_y=True)
    >>> net = DBNRegressor((50,), updates=300, fine_tuning_updates=1000, random_state=0).fit(X[:1000] / 16, X[:1000].mean(1))
    >>> bool(net.score(X[1000:] / 16, X[1000:].mean(1)) > 0.8)  # the ink of a digit
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows and their targets.

        Parameters
        ----------
        X : array, sparse matrix or data frame
            (cases, features).
        y : array
            The targets of each row, (cases,) or (cases, targets).
        sample_weight : array, optional
            As for `DBNClassifier`.

        Returns
        -------
        object
            The estimator.
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=TYPES, multi_output=True, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        self.single_ = y.ndim == 1
        X, weights, y = canonical(X, weights_of(X, sample_weight), y.reshape(len(y), -1))
        self.mean_ = np.average(y, axis=0, weights=weights)
        scale = np.sqrt(np.average((y - self.mean_) ** 2, axis=0, weights=weights))
        self.scale_ = np.where(scale > 0, scale, 1.0)
        X = self._scale(X, weights)
        self.model_ = self._learn_stack(X, weights)
        net = feed_forward(self.model_, y.shape[1], seed=self.seed_)
        targets = torch.from_numpy((y - self.mean_) / self.scale_).to(next(net.parameters()))
        self._tune(net, X, targets, weights, F.mse_loss)
        return self

    def predict(self, X: Any) -> Any:
        """The targets of each row, (cases,) or (cases, targets)."""
        found = self._outputs(X).double().numpy() * self.scale_ + self.mean_
        return found[:, 0] if self.single_ else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

"""Features learnt by a stack of RBMs."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from harmonium.learning import features
from harmonium.sklearn.estimator import TYPES, each, weights_of
from harmonium.sklearn.row_order import canonical
from harmonium.sklearn.stack_estimator import StackEstimator


class DBNTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, StackEstimator):  # type: ignore[misc]
    """The means of the highest layer of a deep belief net as features.

    Parameters
    ----------
    layers : sequence of int, default (100, 100)
        Numbers of hidden units, from the data upwards.
    visible, hidden, learning_rate, momentum, weight_cost, batch_size, precision, random_state, verbose
        As for `RBMTransformer`.
        Data of Gaussian units by name, or by "auto", are standardised first (`scaler_`).
    updates : int, default 700
        At least so many updates of each layer, in whole epochs.

    Attributes
    ----------
    model_ : DBN
        The stack.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from harmonium.sklearn import DBNTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> DBNTransformer((30, 20), updates=100, random_state=0).fit_transform(X / 16).shape
    (1797, 20)
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows of X.

        Parameters
        ----------
        X : array, sparse matrix or data frame
            (cases, features).
        y : object
            Not used.
        sample_weight : array, optional
            One weight per row, (cases,). A row of weight 2 counts as two rows, and rows of weight zero are left out. The order of the rows
            does not matter.

        Returns
        -------
        object
            The estimator.
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=TYPES)
        X, weights, _ = canonical(X, weights_of(X, sample_weight))
        self.model_ = self._learn_stack(self._scale(X, weights), weights)
        return self

    def transform(self, X: Any) -> Any:
        """The means of the highest layer, (cases, layers[-1])."""
        return each(self, X, lambda rows: features(rows, *self.model_.rbms))

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.top.hidden.output_shape[0])

"""Codes learnt by a deep autoencoder that begins as a stack of RBMs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from harmonium.couplings.products import Precision
from harmonium.learning import Schedule, fine_tune
from harmonium.nets import autoencoder
from harmonium.sklearn.estimator import TYPES, dense, each, epochs_of, len_of, weights_of
from harmonium.sklearn.kinds import Kind
from harmonium.sklearn.row_order import canonical
from harmonium.sklearn.stack_estimator import StackEstimator


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, StackEstimator):  # type: ignore[misc]
    """Codes from which a deep net reconstructs the data: a nonlinear PCA (Hinton & Salakhutdinov 2006).

    A stack of RBMs is learnt layer by layer, unrolled into an encoder and a decoder, and fine-tuned to reconstruct its input.

    Parameters
    ----------
    layers : sequence of int, default (100, 10)
        Numbers of hidden units, from the data to the code.
    code : str, Unit or callable, default "gaussian"
        The units of the code: a linear code by default, one between 0 and 1 for "bernoulli".
    visible, hidden, momentum, weight_cost, batch_size, updates, precision, random_state, verbose
        As for `DBNTransformer`: the first stage. Real-valued data are standardised there (`scaler_`).
    learning_rate : float, optional
        Of every layer in the first stage. A linear code needs a low one, such as 0.001. By default each layer has that of `hm.fit`.
    fine_tuning_rate : float, default 0.002
        The rate of Adam in the second stage, which falls linearly to zero.
    fine_tuning_updates : int, default 3000
        At least so many updates in the second stage, in whole epochs.

    Attributes
    ----------
    model_ : DBN
        The stack as it was before fine-tuning.
    net_ : harmonium.nets.Autoencoder
        The net.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from harmonium.sklearn import AutoencoderTransformer
    >>> X, _ = load_digits(return_X_y=True)
    >>> net = AutoencoderTransformer((50, 2), updates=300, fine_tuning_updates=300, random_state=0).fit(X / 16)
    >>> codes = net.transform(X / 16)
    >>> codes.shape, net.inverse_transform(codes).shape
    ((1797, 2), (1797, 64))
    """

    def __init__(
        self,
        layers: Sequence[int] = (100, 10),
        *,
        code: Kind = "gaussian",
        visible: Kind = "auto",
        hidden: Kind = "bernoulli",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        weight_cost: float = 0.0,
        batch_size: int = 100,
        updates: int = 700,
        fine_tuning_rate: float = 0.002,
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
        self.code = code
        self.fine_tuning_rate = fine_tuning_rate
        self.fine_tuning_updates = fine_tuning_updates

    def _kinds(self, layers: int) -> list[Kind]:
        return [*super()._kinds(layers - 1), self.code]

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from the rows of X.

        Parameters
        ----------
        X : array, sparse matrix or data frame
            (cases, features).
        y : object
            Not used.
        sample_weight : array, optional
            One weight per row, (cases,), in both stages. A row of weight 2 counts as two rows, and rows of weight zero are left out. The
            order of the rows does not matter.

        Returns
        -------
        object
            The estimator.
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=TYPES)
        X, weights, _ = canonical(X, weights_of(X, sample_weight))
        X = self._scale(X, weights)
        epochs = epochs_of(self.fine_tuning_updates, len_of(X), self.batch_size)
        self.model_ = self._learn_stack(X, weights)
        net, rows = autoencoder(self.model_), torch.from_numpy(np.array(dense(X)))
        fine_tune(
            net,
            rows,
            rows,
            loss=net.loss,
            sample_weight=weights,
            epochs=epochs,
            batch_size=min(self.batch_size, len_of(X)),
            optimizer=partial(torch.optim.Adam, lr=self.fine_tuning_rate),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / epochs),
            precision=self.precision,
            seed=self.seed_,
            progress=self.verbose,
        )
        self.net_ = net
        return self

    def transform(self, X: Any) -> Any:
        """The codes of rows, (cases, layers[-1])."""
        return each(self, X, lambda rows: self.net_.encode(rows))

    @torch.no_grad()
    def inverse_transform(self, X: Any) -> Any:
        """What the codes `X`, (cases, layers[-1]), stand for: (cases, features); for documents the probability of each word."""
        check_is_fitted(self, "net_")
        like = next(self.net_.parameters())
        codes = check_array(X, dtype=np.float64 if like.dtype == torch.float64 else np.float32)
        if codes.shape[1] != self._n_features_out:
            raise ValueError(f"codes have {self._n_features_out} numbers each, found {codes.shape[1]}")
        found = self.net_.decode(torch.from_numpy(np.array(codes))).numpy()
        return found if self.scaler_ is None else self.scaler_.inverse_transform(found)

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.top.hidden.output_shape[0])

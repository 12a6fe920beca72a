"""Features learnt by an RBM."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from harmonium.sklearn.estimator import RBMEstimator, each
from harmonium.sklearn.sampling_mixin import Sampling


class RBMTransformer(Sampling, ClassNamePrefixFeaturesOutMixin, TransformerMixin, RBMEstimator):  # type: ignore[misc]
    """The hidden means of a restricted Boltzmann machine as features.

    Parameters
    ----------
    n_components : int, default 100
        Number of hidden units.
    visible : str, Unit or callable, default "auto"
        The visible units: a name of `harmonium.sklearn.kinds.UNITS`, a layer, or a function of the number of features. "auto" takes binary
        units whose probabilities the data are if all lie between 0 and 1, and Gaussian units of learnt variances otherwise.
    hidden : str, Unit or callable, default "bernoulli"
        The hidden units.
    rule : Rule, optional
        The learning rule, by default `hm.ContrastiveDivergence()`.
    learning_rate : float, optional
        The rate of SGD. By default that of `hm.fit`, and between binary layers 0.3 / √E|v|² or at most 0.1, times √(batch_size / 100)
        for smaller batches.
    momentum : float, optional
        The momentum, by default 0.9.
    weight_cost : float, default 0
        Weight decay.
    batch_size : int, default 100
        Cases per mini-batch.
    updates : int, optional
        The length of `fit`: at least so many updates, by default 700, in whole epochs.
    gradient : {"plain", "centred", "enhanced"}, default "plain"
        As for `hm.fit`.
    precision : {"float32", "bfloat16", "auto"}, default "float32"
        As for `hm.fit`.
    warm_start : bool, default False
        Go on with the machine of the last `fit`.
    random_state : int, RandomState or None
        The source of the seed.
    verbose : bool, default False
        Show a progress bar.

    Attributes
    ----------
    model_ : RBM
        The machine. Every function of the library takes it.
    state_ : TrainingState
        The training, with the metrics of each epoch in `state_.history`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from harmonium.sklearn import RBMTransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> rbm = RBMTransformer(50, updates=300, random_state=0)
    >>> pipeline = make_pipeline(rbm, LogisticRegression(max_iter=1000)).fit(X[:1000] / 16, y[:1000])
    >>> bool(pipeline.score(X[1000:] / 16, y[1000:]) > 0.8)
    True
    """

    def transform(self, X: Any) -> Any:
        """The hidden means, (cases, n_components)."""
        return each(self, X, lambda rows: self.model_.hidden_mean(rows))

    @torch.no_grad()
    def inverse_transform(self, X: Any) -> Any:
        """The visible means given hidden states or means, (cases, features)."""
        check_is_fitted(self, "model_")
        weight = next(self.model_.parameters())
        rows = check_array(X, dtype=np.float64 if weight.dtype == torch.float64 else np.float32)
        return self.model_.visible_mean(torch.from_numpy(np.array(rows))).numpy()

    def gibbs(self, v: Any) -> Any:
        """The visible states after one sweep of Gibbs sampling from `v`, (cases, features)."""
        check_is_fitted(self, "model_")
        if not hasattr(self, "random_state_"):
            self.random_state_ = check_random_state(self.random_state)
        generator = torch.Generator().manual_seed(int(self.random_state_.randint(np.iinfo(np.int32).max)))
        return each(self, v, lambda rows: self.model_.gibbs(rows, generator=generator))

"""The log-likelihood of rows under an RBM."""

from __future__ import annotations

import math
import warnings
from typing import Any, Self

from harmonium.learning import PersistentCD
from harmonium.likelihood import Estimate, log_likelihood
from harmonium.likelihood.known_log_z import known_log_z
from harmonium.sklearn.estimator import RBMEstimator, each
from harmonium.sklearn.sampling_mixin import Sampling


class RBMDensity(Sampling, RBMEstimator):
    """The density of a restricted Boltzmann machine, in nats.

    The parameters are those of `RBMTransformer`. But the rule is persistent CD with 100 chains, without momentum, 3,000 updates long, and
    the density is that of the parameters' mean over the last 30 % of the updates. With `visible="auto"` zeros and ones are binary units,
    and everything else is real. log Z is exact if one side has at most 2^16 states. Otherwise it is estimated once, by annealed importance
    sampling; it is then `log_z_`, with its standard error and effective sample size in `log_z_estimate_`.

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.sklearn import RBMDensity
    >>> X = (np.random.default_rng(0).random((500, 1)) < 0.5).repeat(8, axis=1).astype("float32")
    >>> density = RBMDensity(2, random_state=0).fit(X)
    >>> bool(density.score(X) > -2)  # two states of probability 1/2: at most -0.69; independent units: -5.55
    True
    """

    states = True
    usual_rule = PersistentCD(100)
    usual_momentum = 0.0
    usual_updates = 3000
    averaging = 0.3

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        super().fit(X, y, sample_weight)
        self._forget()
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        super().partial_fit(X, y, sample_weight)
        self._forget()
        return self

    def _forget(self) -> None:
        self._log_z: tuple[float, Estimate | None] | None = None

    def _known(self) -> tuple[float, Estimate | None]:
        if self._log_z is None:
            self._log_z = known_log_z(self.model_, self.seed_)
        return self._log_z

    @property
    def log_z_(self) -> float:
        """log Z, in nats."""
        return self._known()[0]

    @property
    def log_z_estimate_(self) -> Estimate | None:
        """The estimate of log Z; None where it is exact."""
        return self._known()[1]

    def score_samples(self, X: Any) -> Any:
        """log p of each row, in nats, (cases,); a log-density for real-valued units."""
        return each(self, X, lambda rows: log_likelihood(self.model_, rows, log_z=self.log_z_))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean log-likelihood of the rows, in nats."""
        found = float(self.score_samples(X).mean())
        if math.isnan(found):
            warnings.warn("the mean log-likelihood is not a number: learning has diverged, take a lower learning_rate", stacklevel=2)
        return found

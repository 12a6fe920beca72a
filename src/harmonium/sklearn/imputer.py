"""Missing values drawn from what an RBM expects of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from harmonium.sampling import impute
from harmonium.sklearn.estimator import BLOCK, RBMEstimator, filled, len_of


class RBMImputer(OneToOneFeatureMixin, TransformerMixin, RBMEstimator):  # type: ignore[misc]
    """Fills in NaN by the mean given what is known of the row, under a restricted Boltzmann machine.

    It learns from rows with gaps as from others: missing values are latent, and drawn at each update. The parameters are those of
    `RBMTransformer`.

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.sklearn import RBMImputer
    >>> X = (np.random.default_rng(0).random((500, 1)) < 0.5).repeat(4, axis=1).astype("float32")
    >>> X[0] = [1, 1, 1, np.nan]
    >>> imputer = RBMImputer(4, updates=2000, random_state=0)
    >>> bool(imputer.fit_transform(X)[0, 3] > 0.8)
    True
    """

    missing = True
    chains, steps = 5, 40
    """Chains of each row, and their sweeps of Gibbs sampling, of which the later half is averaged."""

    @torch.no_grad()
    def transform(self, X: Any) -> Any:
        """X with its NaN filled in, (cases, features)."""
        check_is_fitted(self, "model_")
        X = self._checked(X, reset=False)
        parts = []
        for first in range(0, len_of(X), BLOCK):
            rows = np.array(X[first : first + BLOCK])
            gaps = np.isnan(rows)
            if gaps.any():
                known = torch.from_numpy(filled(rows)[0])
                seed = self.seed_ + first
                found = impute(self.model_, known, torch.from_numpy(gaps), chains=self.chains, steps=self.steps, seed=seed)
                rows[gaps] = found.mean.numpy()[gaps]
            parts.append(rows)
        return np.concatenate(parts)

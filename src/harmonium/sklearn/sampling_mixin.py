"""Draws from a learnt machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from harmonium.models import RBM


class Sampling:
    """Adds `sample` to an estimator that has a machine."""

    model_: RBM
    random_state: Any

    @torch.no_grad()
    def sample(self, n_samples: int = 1, *, steps: int = 1000, random_state: Any = None) -> Any:
        """Draw visible states by Gibbs sampling from the units' own biases.

        Parameters
        ----------
        n_samples : int, default 1
            Number of independent chains, one draw of each.
        steps : int, default 1000
            Sweeps of each chain.
        random_state : int, RandomState or None
            The source of the seed, by default the estimator's.

        Returns
        -------
        numpy.ndarray
            (n_samples, features).
        """
        check_is_fitted(self, "model_")
        source = check_random_state(self.random_state if random_state is None else random_state)
        generator = torch.Generator().manual_seed(int(source.randint(np.iinfo(np.int32).max)))
        start, given = self.model_.initial_states(n_samples, generator=generator)
        return self.model_.gibbs(start, steps=steps, generator=generator, given=given).numpy()

"""Learnt variances rest where the likelihood's slope is zero, also where their gradient is far from normal."""

import numpy as np
import pytest
import torch

import harmonium as hm


def sparse(cases: int = 20_000, units: int = 5) -> torch.Tensor:
    """One value in a hundred is not zero; the variance of each unit is one."""
    draw = np.random.default_rng(0)
    rows = np.where(draw.random((cases, units)) < 0.01, 10 * draw.normal(size=(cases, units)), 0.0)
    return torch.tensor(rows / rows.std(0)).float()


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_sparse_data_keep_their_variance(standardise: bool) -> None:
    """A gradient that is cut at one settles at 0.67, for its mean is then zero elsewhere; the base rates are the best there is to learn."""
    rows = sparse()
    rbm = hm.RBM(hm.Gaussian(5, learn_variance=True), hm.Bernoulli(4))
    hm.fit(rbm, rows, epochs=10, standardise=standardise, progress=False)
    variance = rbm.visible.log_variance.detach().exp()
    nats = hm.likelihood.log_likelihood(rbm, rows, log_z=hm.likelihood.exact_log_z(rbm)).mean().item()
    assert abs(variance.mean().item() - 1) < 0.06
    assert abs(nats + 7.095) < 0.02

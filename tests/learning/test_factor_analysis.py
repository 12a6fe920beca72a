"""A Gaussian-Gaussian machine is a factor analyser (Marks & Movellan 2001; Hinton 2002), and learns to be the best one."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import FactorAnalysis

import harmonium as hm

pytestmark = pytest.mark.filterwarnings("ignore:in .* updates the weights were pulled back:RuntimeWarning")

UNITS, FACTORS, CASES = 20, 3, 20_000


@pytest.fixture(scope="module")
def data():
    """v = m + L z + noise, in units of measurement that differ tenfold: (cases, units)."""
    draw = np.random.default_rng(0)
    loadings, size = 0.45 * draw.normal(size=(UNITS, FACTORS)), 10 ** draw.uniform(-0.5, 0.5, UNITS)
    noise = draw.normal(size=(CASES, UNITS)) * draw.uniform(0.7, 1.3, UNITS)
    return size * (3 * draw.normal(size=UNITS) + draw.normal(size=(CASES, FACTORS)) @ loadings.T + noise)


@pytest.fixture(scope="module")
def learnt(data):
    rbm = hm.RBM(hm.Gaussian(UNITS, learn_variance=True), hm.Gaussian(FACTORS))
    settings = {
        "epochs": 60,
        "batch_size": 500,
        "optimizer": partial(hm.MomentumSGD, lr=0.01, momentum=0.9),
        "schedule": partial(torch.optim.lr_scheduler.StepLR, step_size=40, gamma=0.1),
    }
    hm.fit(rbm, torch.tensor(data, dtype=torch.float32), progress=False, **settings)
    return rbm.double()


@pytest.fixture(scope="module")
def best(data):
    return FactorAnalysis(FACTORS, tol=1e-4, max_iter=5000).fit(data)


@pytest.mark.parametrize("in_units_of_the_noise", [False, True])
def test_the_weights_span_the_loadings(learnt, best, in_units_of_the_noise):
    """W = L (I + L' Psi^-1 L)^-1/2 has the columns of L: within three degrees."""
    scale = np.sqrt(best.noise_variance_)[:, None] if in_units_of_the_noise else 1.0
    angles = np.degrees(subspace_angles(learnt.coupling.weight.detach().numpy() / scale, best.components_.T / scale))
    assert angles.max() < 3


def test_the_noise_and_the_likelihood_are_those_of_maximum_likelihood(learnt, best, data):
    """A thirtieth of a nat is a fiftieth of what the factors are worth; a unit that one factor nearly explains learns its noise last."""
    noise = learnt.visible.log_variance.exp().detach().numpy()
    assert np.median(np.abs(noise / best.noise_variance_ - 1)) < 0.02
    reached = hm.likelihood.log_likelihood(learnt, torch.tensor(data), log_z=hm.likelihood.exact_log_z(learnt)).mean().item()
    independent = -0.5 * np.log(2 * np.pi * np.e * data.var(0)).sum()
    assert best.score(data) - independent > 1.5
    assert best.score(data) - 0.03 < reached < best.score(data) + 1e-3

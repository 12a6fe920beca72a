"""RAISE against the annealing model, whose p(v) is a product of transition matrices on a machine that can be listed."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle
from tests.likelihood.drawn import planted
from tests.models.machines import machine, plain

BETAS = [0.0, 0.4, 0.8, 1.0]


def base_input(kind, rates, bias):
    """What, added to the units' biases, makes their means `rates`."""
    if kind == "spin":
        return np.arctanh(rates) - bias
    return np.log(rates) - (np.log1p(-rates) if kind == "bernoulli" else 0) - bias


def annealing_model(rbm, kind, rates, betas):
    """All visible states, and p of what a draw of the base ends in after one sweep at each β but the first."""
    whole = plain(rbm)
    base = base_input(kind, rates, whole.visible[0].bias)

    def at(beta):
        return replace(whole, weight=beta * whole.weight, visible_shift=(1 - beta) * base)

    v, p = oracle.visible_distribution(at(0.0))
    for beta in betas[1:]:
        _, _, joint = oracle.joint_distribution(at(beta))
        up = joint / joint.sum(1, keepdims=True)
        down = joint / joint.sum(0, keepdims=True)
        p = p @ up @ down.T
    return torch.tensor(v), p


RATES = {"bernoulli": np.array([0.3, 0.5, 0.6]), "spin": np.array([-0.4, 0.2, 0.5]), "softmax": np.array([0.2, 0.3, 0.5, 0.6, 0.3, 0.1])}


@pytest.mark.parametrize(
    ("kind", "hidden"), [("bernoulli", "bernoulli"), ("bernoulli", "binomial"), ("spin", "softmax"), ("softmax", "spin")]
)
def test_it_estimates_the_annealing_models_probabilities_without_bias(kind, hidden):
    """Four chains a case, so that the log-mean-exp counts; many repeats of each case, all states at once."""
    rbm, rates = machine(kind, hidden, seed=2, size=1.5), RATES[kind]
    if hidden == "binomial":
        rbm.coupling.weight.data *= 2.5
    v, p = annealing_model(rbm, kind, rates, BETAS)
    assert p.sum() == pytest.approx(1, abs=1e-9)
    assert np.abs(p / oracle.visible_distribution(plain(rbm))[1] - 1).max() > 0.1  # it is not the machine itself
    repeats = 800
    found = hm.likelihood.raise_bound(rbm, v.repeat(repeats, 1), betas=BETAS, chains=4, base_rates=torch.tensor(rates))
    estimates = found.log_p.exp().numpy().reshape(repeats, len(v))
    error = estimates.std(0, ddof=1) / math.sqrt(repeats)
    assert (np.abs(estimates.mean(0) - p) < 4 * error).all()
    assert (error < 0.1 * p).all()
    logs = found.log_p.numpy().reshape(repeats, len(v))
    below = np.log(p) - logs.mean(0)
    assert (below > 3 * logs.std(0) / math.sqrt(repeats)).mean() > 0.5  # in expectation of the logarithm a bound from below
    assert (below > -3 * logs.std(0) / math.sqrt(repeats)).all()


@pytest.mark.parametrize(
    ("visible", "hidden"), [("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("truncated", "spin"), ("pooled", "gaussian")]
)
def test_with_many_betas_it_lies_close_below_the_machines_own(visible, hidden):
    rbm = machine(visible, hidden, seed=5)
    v = rbm.gibbs(rbm.visible.mode(rbm.visible.zero_input(200)), steps=20, generator=torch.Generator().manual_seed(0)).detach()
    exact = oracle.log_likelihood(plain(rbm), v.numpy())
    found = hm.likelihood.raise_bound(rbm, v, betas=300, chains=4)
    gaps = exact - found.log_p.numpy()
    assert -3 * gaps.std() / math.sqrt(200) < gaps.mean() < 0.02
    assert np.abs(gaps).max() < 0.5
    coarse = hm.likelihood.raise_bound(rbm, v.repeat_interleave(20, 0), betas=3, chains=1)
    assert (exact.repeat(20) - coarse.log_p.numpy()).mean() > gaps.mean()


def test_more_chains_narrow_the_gap_to_the_annealing_model():
    rbm, rates = machine("bernoulli", "bernoulli", seed=2, size=2.0), RATES["bernoulli"]
    v, p = annealing_model(rbm, "bernoulli", rates, BETAS)
    gaps = [
        (np.log(p) - found.log_p.numpy().reshape(100, -1).mean(0)).mean()
        for chains in (1, 5, 50)
        for found in [hm.likelihood.raise_bound(rbm, v.repeat(100, 1), betas=BETAS, chains=chains, base_rates=torch.tensor(rates))]
    ]
    assert gaps[0] > gaps[1] > gaps[2] > -0.01
    assert gaps[0] > 3 * gaps[2]


def test_it_bounds_the_annealing_model_and_not_the_machine():
    """The annealing never meets the mode that holds 98% of the machine: the cases of the other look fifty times as probable as they are."""
    rbm = planted(odds=4.0)
    v = torch.zeros(5, 10, dtype=torch.float64)
    exact = oracle.log_likelihood(plain(rbm), v.numpy())
    found = hm.likelihood.raise_bound(rbm, v, betas=100, chains=20, base_rates=torch.full((10,), 0.05))
    assert (found.log_p.numpy() - exact > 3.5).all()
    assert (found.ess > 18).all()


def test_blocks_errors_and_types(monkeypatch):
    rbm = machine("bernoulli", "bernoulli", seed=1).float()
    v = torch.tensor([[0, 1, 1], [1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0]])
    whole = hm.likelihood.raise_bound(rbm, v, betas=50, chains=30, seed=3)
    assert whole.log_p.dtype == torch.float64
    assert whole.log_p.shape == whole.standard_error.shape == whole.ess.shape == (5,)
    monkeypatch.setattr(sys.modules["harmonium.likelihood.raise_bound"], "ROWS", 61)
    blocks = hm.likelihood.raise_bound(rbm, v, betas=50, chains=30, seed=3)
    assert blocks.log_p[:2] != pytest.approx(whole.log_p[:2], abs=1e-9)
    both = (whole.standard_error**2 + blocks.standard_error**2).sqrt()
    assert ((whole.log_p - blocks.log_p).abs() < 3.5 * both).all()
    assert torch.isinf(hm.likelihood.raise_bound(rbm, v, betas=5, chains=1).standard_error).all()
    with pytest.raises(ValueError, match="at least one per case"):
        hm.likelihood.raise_bound(rbm, v, betas=5, chains=0)
    with pytest.raises(ValueError, match="Bernoulli units expect 0 or 1"):
        hm.likelihood.raise_bound(rbm, v * 0.5, betas=5)
    with pytest.raises(ValueError, match="length of each document"):
        hm.likelihood.raise_bound(machine("replicated", "bernoulli"), torch.tensor([[1, 1, 1]]), betas=5)

"""Every pair of kinds against brute-force enumeration and quadrature."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING
from tests import oracle

from .machines import EVERY_PAIR, TABLED, close, closed_form, given, machine, named, plain, real, samples

pairs = pytest.mark.parametrize(("visible", "hidden"), TABLED)
CASES = 4


def both(visible, hidden):
    rbm = machine(visible, hidden)
    return rbm, plain(rbm), samples(rbm.visible, CASES, 1), samples(rbm.hidden, CASES, 2)


def bayes(rbm, v, h, side=NOTHING):
    """log p(h|v) - F(v) = log p(v|h) - F(h) = -E(v, h)."""
    up, down = rbm.hidden_input(v, side), rbm.visible_input(h, side)
    met_h, met_v = (rbm.hidden.statistic(h) * up).flatten(1).sum(-1), (rbm.visible.statistic(v) * down).flatten(1).sum(-1)
    log_h = -rbm.hidden.energy(h) + met_h - rbm.hidden.log_partition(up)
    log_v = -rbm.visible.energy(v) + met_v - rbm.visible.log_partition(down, side)
    energy = rbm.energy(v, h, side)
    assert torch.isfinite(energy).all()
    close(log_h - rbm.free_energy(v, side), -energy, 1e-10)
    close(log_v - rbm.hidden_free_energy(h, side), -energy, 1e-10)


@pairs
def test_energies(visible, hidden):
    rbm, exact, v, h = both(visible, hidden)
    table, side = oracle.energies(exact, v, h), given(rbm.visible, CASES)
    close(rbm.energy(torch.tensor(v), torch.tensor(h)), np.diag(table))
    every = rbm.energy(torch.tensor(v)[:, None].expand(-1, CASES, -1), torch.tensor(h).expand(CASES, -1, -1))
    close(every, table)
    close(rbm.free_energy(torch.tensor(v)), oracle.free_energy(exact, v))
    close(rbm.hidden_free_energy(torch.tensor(h), side), oracle.free_energy(exact.flipped(), h))


@pairs
def test_conditionals(visible, hidden):
    rbm, exact, v, h = both(visible, hidden)
    mean, variance = oracle.hidden_moments(exact, v)
    close(rbm.hidden_mean(torch.tensor(v)), mean)
    close(rbm.hidden.variance(rbm.hidden_input(torch.tensor(v))), variance)
    mean, variance = oracle.hidden_moments(exact.flipped(), h)
    side = given(rbm.visible, CASES)
    close(rbm.visible_mean(torch.tensor(h), side), mean)
    close(rbm.visible.variance(rbm.visible_input(torch.tensor(h)), side), variance)


@pairs
def test_the_mode_has_the_lowest_energy(visible, hidden):
    rbm, exact, v, _ = both(visible, hidden)
    mode = rbm.hidden.mode(rbm.hidden_input(torch.tensor(v))).detach().numpy()
    states, _ = oracle.table(exact.hidden)
    for case in range(CASES):
        found = oracle.energies(exact, v[case : case + 1], mode[case : case + 1])[0, 0]
        best = oracle.energies(exact, v[case : case + 1], states).min()
        assert found <= best + 1e-9
        if not real(hidden):
            assert found == pytest.approx(best, abs=1e-9)


@pairs
def test_log_z_and_log_likelihood(visible, hidden):
    rbm, exact, v, _ = both(visible, hidden)
    side = given(rbm.visible)
    if not closed_form(visible, hidden):
        with pytest.raises(ValueError, match="on both sides"):
            hm.likelihood.exact_log_z(rbm, given=side)
        return
    log_z = hm.likelihood.exact_log_z(rbm, given=side)
    close(log_z, oracle.log_z(exact))
    close(hm.likelihood.log_likelihood(rbm, torch.tensor(v), log_z=log_z), oracle.log_likelihood(exact, v))


@pairs
def test_the_gradient_of_the_log_likelihood(visible, hidden):
    """The closed form, data minus model, against finite differences of the oracle's own log-likelihood."""
    rbm, exact, v, _ = both(visible, hidden)
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    expected = oracle.log_likelihood_gradient(exact, v, weights)
    # The model's particles are all states of the table, each with its exact probability as its weight.
    states, measure = oracle.table(exact.visible)
    log_p = measure - oracle.free_energy(exact, states)
    p = np.exp(log_p - oracle.logsumexp(log_p))
    rbm.accumulate_gradient(rbm.infer(torch.tensor(v)), weights=torch.tensor(weights), fresh=True)
    rbm.accumulate_gradient(rbm.infer(torch.tensor(states)), weights=torch.tensor(p), scale=-1.0)
    compared = 0
    for key, slope in expected.items():
        parameter = named(rbm, key)
        if parameter is not None:
            close(-parameter.grad, slope)
            compared += 1
    assert compared == sum(parameter.requires_grad for parameter in rbm.parameters())


@pytest.mark.parametrize(("visible", "hidden"), EVERY_PAIR)
def test_bayes(visible, hidden):
    rbm = machine(visible, hidden)
    v, h = (torch.tensor(samples(unit, CASES, seed)) for seed, unit in enumerate((rbm.visible, rbm.hidden)))
    bayes(rbm, v, h, given(rbm.visible, CASES))


@pytest.mark.parametrize(
    ("visible", "hidden"),
    [
        ("bernoulli", "bernoulli"),
        ("gaussian", "bernoulli"),
        ("softmax", "learnt_gaussian"),
        ("gaussian", "gaussian"),
        ("truncated", "stepped"),
        ("binomial", "poisson"),
        ("unbounded_stepped", "pooled"),
        ("spin", "exponential"),
        ("poisson", "binomial"),
        ("stepped", "unbounded_stepped"),
        ("pooled", "learnt_truncated"),
        ("exponential", "spin"),
    ],
)
def test_float32(visible, hidden):
    rbm, exact, v, h = both(visible, hidden)
    rbm = rbm.float()
    v32, h32 = torch.tensor(v, dtype=torch.float32), torch.tensor(h, dtype=torch.float32)
    close(rbm.free_energy(v32), oracle.free_energy(exact, v), 1e-4)
    close(rbm.hidden_free_energy(h32), oracle.free_energy(exact.flipped(), h), 1e-4)
    close(rbm.hidden_mean(v32), oracle.hidden_moments(exact, v)[0], 1e-4)
    close(hm.likelihood.exact_log_z(rbm), oracle.log_z(exact), 1e-4)
    assert rbm.free_energy(v32).dtype == torch.float32


def test_the_oracles_grid_agrees_with_gaussian_algebra():
    """Two independent routes to log Z of a real-valued pair, so that the grid itself is tested."""
    exact = plain(machine("gaussian", "learnt_gaussian", seed=5))
    assert oracle.log_z(exact) == pytest.approx(oracle.gaussian_log_z(exact), abs=1e-9)

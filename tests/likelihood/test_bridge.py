"""Bennett's acceptance ratio between two machines against their exact partition functions and a plain implementation."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit

import harmonium as hm
from harmonium.units import Given
from tests import oracle
from tests.likelihood.drawn import exact_samples, planted
from tests.models.machines import machine, plain

# Visible layer, hidden layers of the two machines.
TRIPLES = [
    ("bernoulli", "bernoulli", "bernoulli"),
    ("bernoulli", "gaussian", "softmax"),
    ("gaussian", "bernoulli", "softmax"),
    ("softmax", "spin", "bernoulli"),
    ("truncated", "bernoulli", "spin"),
    ("gaussian_bernoulli", "bernoulli", "binomial"),
]


def pair(repeat):
    visible, one, other = TRIPLES[repeat % len(TRIPLES)]
    first, second = machine(visible, one, seed=repeat), machine(visible, other, seed=100 + repeat)
    return first, second, oracle.log_z(plain(second)) - oracle.log_z(plain(first))


def test_within_three_standard_errors_of_the_truth():
    near = 0
    for repeat in range(60):
        first, second, truth = pair(repeat)
        found = hm.likelihood.bridge(first, second, exact_samples(first, 300, repeat), exact_samples(second, 200, 1000 + repeat))
        assert 0 < found.standard_error < 0.5
        near += abs(found.log_z - truth) < 3 * found.standard_error
    assert near >= 59


@pytest.mark.parametrize("repeat", range(len(TRIPLES)))
def test_against_a_plain_solution(repeat):
    """Shirts et al. (2003): the root of Bennett's equation, and the variance 1 / Σ 1 / (2 + 2 cosh) - (n1 + n2) / (n1 n2)."""
    first, second, _ = pair(repeat)
    samples = [exact_samples(model, cases, 7) for model, cases in ((first, 90), (second, 160))]
    work = [oracle.free_energy(plain(second), v.numpy()) - oracle.free_energy(plain(first), v.numpy()) for v in samples]
    shift = math.log(160 / 90)

    def unbalance(difference):
        return expit(-work[0] - difference + shift).sum() - expit(work[1] + difference - shift).sum()

    expected = brentq(unbalance, -50, 50, xtol=1e-13)
    argument = np.concatenate(work) + expected - shift
    variance = 1 / (1 / (2 + 2 * np.cosh(argument))).sum() - 250 / (90 * 160)
    found = hm.likelihood.bridge(first, second, *samples)
    assert found.log_z == pytest.approx(expected, abs=1e-5)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-4)
    turned = hm.likelihood.bridge(second, first, *samples[::-1])
    assert turned.log_z == pytest.approx(-found.log_z, abs=1e-12)
    assert turned.standard_error == pytest.approx(found.standard_error, rel=1e-9)


def test_its_standard_error_is_the_spread_of_two_hundred_repeats():
    first, second, truth = machine("bernoulli", "bernoulli", seed=1), machine("bernoulli", "softmax", seed=2, size=1.5), 0.0
    truth = oracle.log_z(plain(second)) - oracle.log_z(plain(first))
    scores, errors = [], []
    for seed in range(200):
        found = hm.likelihood.bridge(first, second, exact_samples(first, 100, seed), exact_samples(second, 150, 1000 + seed))
        scores.append((found.log_z - truth) / found.standard_error)
        errors.append(found.standard_error)
    assert abs(np.mean(scores)) < 3 / math.sqrt(200)
    assert abs(np.std(scores) - 1) < 3 / math.sqrt(400)
    assert np.mean(errors) > 0.05


def test_the_overlap_is_that_of_the_two_distributions():
    first, second = machine("softmax", "bernoulli", seed=1), machine("softmax", "bernoulli", seed=2, size=1.5)
    (_, p), (_, q) = oracle.visible_distribution(plain(first)), oracle.visible_distribution(plain(second))
    expected = (p * q / (0.25 * p + 0.75 * q)).sum()
    found = hm.likelihood.bridge(first, second, exact_samples(first, 5000, 1), exact_samples(second, 15000, 2))
    assert found.overlap == pytest.approx(expected, abs=0.02)
    assert expected < 0.9
    assert found.ess == pytest.approx(1 / (found.standard_error**2 + 1 / 5000 + 1 / 15000))


def test_a_machine_and_itself():
    rbm = machine("bernoulli", "bernoulli")
    samples = exact_samples(rbm, 50, 0)
    found = hm.likelihood.bridge(rbm, rbm, samples, samples[:20])
    assert (found.log_z, found.standard_error) == pytest.approx((0, 0), abs=1e-7)
    assert found.overlap == pytest.approx(1)


def test_machines_that_have_nothing_in_common_warn():
    first, second = planted(odds=-8.0), planted(odds=-8.0)
    with torch.no_grad():
        second.visible.bias += 8.0
    with pytest.warns(UserWarning, match="overlap"):
        found = hm.likelihood.bridge(first, second, exact_samples(first, 50, 0), exact_samples(second, 50, 1))
    assert found.standard_error > 1


def test_what_is_given_holds_for_both():
    first, second = machine("bernoulli", "bernoulli", seed=3), machine("bernoulli", "spin", seed=4)
    present = np.array([True, False, True])
    samples, log_z = [], []
    for seed, model in enumerate((first, second)):
        small = oracle.without(plain(model), present)
        v, p = oracle.visible_distribution(small)
        rows = np.full((1000, 3), math.nan)
        rows[:, present] = v[np.random.default_rng(seed).choice(len(v), size=1000, p=p / p.sum())]
        samples.append(torch.tensor(rows))
        log_z.append(oracle.log_z(small))
    found = hm.likelihood.bridge(first, second, *samples, given=Given(present=torch.tensor(present)))
    assert abs(found.log_z - (log_z[1] - log_z[0])) < 3 * found.standard_error
    assert abs(log_z[1] - log_z[0] - oracle.log_z(plain(second)) + oracle.log_z(plain(first))) > 0.05


def test_refusals():
    rbm = machine("bernoulli", "bernoulli")
    v = torch.zeros(4, 3)
    with pytest.raises(ValueError, match="visible layers must be the same"):
        hm.likelihood.bridge(rbm, machine("gaussian", "bernoulli"), v, torch.zeros(4, 2))
    with pytest.raises(ValueError, match="Spin units expect"):
        hm.likelihood.bridge(rbm, machine("spin", "bernoulli"), v, torch.ones(4, 3))
    with pytest.raises(ValueError, match=r"shape \(cases, 3\)"):
        hm.likelihood.bridge(rbm, rbm, v, torch.zeros(0, 3))

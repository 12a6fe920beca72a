"""Anomaly scores and the parts of their columns against enumeration."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood.seen_ais import seen_ais
from tests import gapped, oracle
from tests.models.machines import close, machine, plain, samples

KINDS = ["bernoulli", "gaussian", "learnt_gaussian", "softmax", "bernoulli_softmax", "gaussian_bernoulli", "spin", "binomial", "stepped"]
KINDS += ["poisson", "unbounded_stepped", "learnt_truncated", "poisson_truncated_stepped"]
CASES = 5


def case(visible, hidden="bernoulli", size=0.8):
    rbm = machine(visible, hidden, seed=3, size=size)
    return rbm, plain(rbm), samples(rbm.visible, CASES, 1)


def of_column(exact, row, places):
    """-log p(column | rest), and the entropy of that distribution, by listing the column's states."""
    gaps = np.zeros(len(row), dtype=bool)
    gaps[places] = True
    states, measure = gapped.completions(exact, row, gaps)
    log_p = -oracle.free_energy(exact, states)
    log_sum = oracle.logsumexp(log_p + measure)
    return log_sum + oracle.free_energy(exact, row[None])[0], -np.sum(np.exp(log_p + measure - log_sum) * (log_p - log_sum))


@pytest.mark.parametrize("visible", KINDS)
@pytest.mark.parametrize("hidden", ["bernoulli", "softmax"])
def test_parts_are_the_conditional_surprise(visible, hidden):
    rbm, exact, v = case(visible, hidden)
    found = hm.anomaly_score(rbm, torch.tensor(v))
    columns = [list(places) for places, _ in gapped.pieces(exact)]
    told = np.array([[of_column(exact, row, places) for places in columns] for row in v])
    close(found.parts, told[..., 0])
    close(found.expected, told[..., 1])
    assert found.columns == tuple(str(places[0]) for places in columns)
    close(found.score, -oracle.log_likelihood(exact, v))
    assert (found.standard_error == 0).all()


def test_scores_of_gaussian_hidden_units_need_no_integral_where_columns_are_discrete():
    rbm, exact, v = case("softmax", "gaussian")
    found = hm.anomaly_score(rbm, torch.tensor(v))
    close(found.parts, [[of_column(exact, row, places)[0] for places, _ in gapped.pieces(exact)] for row in v])


@pytest.mark.parametrize("visible", ["bernoulli_softmax", "gaussian_bernoulli", "binomial"])
def test_rows_with_gaps_are_scored_by_what_was_seen(visible):
    rbm, exact, v = case(visible, size=2.0)
    gaps = gapped.mask(exact, CASES, 4)
    found = hm.anomaly_score(rbm, torch.tensor(np.where(gaps, math.nan, v)), chains=4000, steps=30)
    log_z = oracle.log_z(exact)
    seen = np.array([gapped.log_seen(exact, *pair) for pair in zip(v, gaps, strict=True)])
    close(found.score, log_z - seen)
    for row, mask, parts in zip(v, gaps, found.parts.numpy(), strict=True):
        for (places, _), part in zip(gapped.pieces(exact), parts, strict=True):
            if mask[places[0]]:
                assert math.isnan(part)
                continue
            without = mask.copy()
            without[places] = True
            expected = gapped.log_seen(exact, row, without) - gapped.log_seen(exact, row, mask)
            assert part == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("visible", ["bernoulli_softmax", "gaussian_bernoulli", "binomial", "learnt_truncated"])
def test_annealing_finds_the_probability_of_what_was_seen(visible):
    rbm, exact, v = case(visible)
    gaps = gapped.mask(exact, CASES, 5)
    expected = [gapped.log_seen(exact, *pair) for pair in zip(v, gaps, strict=True)]
    found, error = seen_ais(rbm, torch.tensor(v), torch.tensor(gaps), chains=200, betas=30, generator=torch.Generator().manual_seed(0))
    assert (np.abs(found.numpy() - expected) <= 5 * error.numpy() + 1e-9).all()
    assert error.max() < 0.05


def test_free_energies_and_a_known_log_z():
    rbm, exact, v = case("bernoulli")
    found = hm.anomaly_score(rbm, torch.tensor(v), normalise=False)
    assert found.method == "free energy"
    close(found.score, oracle.free_energy(exact, v))
    close(hm.anomaly_score(rbm, torch.tensor(v), log_z=1.5).score, oracle.free_energy(exact, v) + 1.5)


def test_large_machines_are_annealed_and_say_so():
    rbm = hm.RBM(hm.Bernoulli(20), hm.Bernoulli(20))
    found = hm.anomaly_score(rbm, torch.eye(20))
    assert found.method == "-log p, log Z by annealed importance sampling"
    assert (found.standard_error > 0).all()
    torch.testing.assert_close(found.score, torch.full((20,), 20 * math.log(2)).double(), atol=0.2, rtol=0)


def test_what_cannot_be_scored_is_told():
    for effort in ({"chains": 0}, {"steps": 0}):
        with pytest.raises(ValueError, match="at least one chain and one sweep"):
            hm.anomaly_score(hm.RBM(2, 2), torch.zeros(1, 2), **effort)
    with pytest.raises(ValueError, match="Gaussian units cannot be integrated: their input has no bound"):
        hm.anomaly_score(hm.RBM(hm.Gaussian(2), hm.Gaussian(1)), torch.zeros(1, 2))
    with pytest.raises(TypeError, match="one Exponential unit"):
        hm.anomaly_score(hm.RBM(hm.Exponential(2), 2), torch.ones(1, 2))
    with pytest.raises(TypeError, match=r"hm.anomaly_score takes an RBM, found DBN"):
        hm.anomaly_score(hm.DBN([hm.RBM(2, 2)]), torch.ones(1, 2))
    with pytest.raises(ValueError, match="Bernoulli units expect 0 or 1, found values from 2"):
        hm.anomaly_score(hm.RBM(2, 2), torch.full((1, 2), 2.0))


def test_more_steps_take_the_bias_from_an_annealed_score():
    """Six missing values of ten, whose 64 states are listed here; twelve hidden units are too many to be listed there."""
    rbm, generator = hm.RBM(10, 12).double(), torch.Generator().manual_seed(0)
    torch.nn.init.normal_(rbm.coupling.weight, std=1.5, generator=generator)
    v = (torch.rand(20, 10, generator=generator) < 0.5).double()
    lost = torch.arange(10) < 6
    filled = v.repeat(64, 1, 1)
    filled[:, :, :6] = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 6)[:, None]
    exact = -(-rbm.free_energy(filled)).logsumexp(0).detach()
    hurried, patient = (hm.anomaly_score(rbm, torch.where(lost, torch.nan, v), normalise=False, steps=steps) for steps in (1, 300))
    assert (hurried.score - exact).mean() > 0.1
    assert abs((patient.score - exact).mean()) < 0.02

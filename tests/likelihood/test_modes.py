"""The bound of mean field lies below log Z for every pair of units, touches it where units are independent, and finds far modes."""

import itertools
import math

import pytest
import torch

import harmonium as hm
from harmonium.likelihood import evaluate
from harmonium.likelihood.modes import log_z_of_a_mode
from harmonium.units import Given
from tests import oracle
from tests.likelihood.test_evaluate import QUICK, far_mode, near_zero, of_far_mode
from tests.models.machines import PAIRS, machine, plain


def bound(rbm, seed=0, **settings):
    return log_z_of_a_mode(rbm, generator=torch.Generator().manual_seed(seed), **settings)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_it_is_below_log_z_and_near_it_where_weights_are_small(visible, hidden):
    for size in (0.05, 0.7):
        rbm = machine(visible, hidden, seed=3, size=size)
        log_z, found = oracle.log_z(plain(rbm)), bound(rbm)
        assert found < log_z + 1e-6
        if size == 0.05:
            assert found > log_z - 0.5


def test_it_is_log_z_where_units_are_independent():
    rbm = hm.RBM(hm.Bernoulli(20), hm.Bernoulli(15), hm.Dense(20, 15, scale=0.0)).double()
    torch.nn.init.normal_(rbm.visible.bias)
    torch.nn.init.normal_(rbm.hidden.bias)
    exact = torch.nn.functional.softplus(torch.cat([rbm.visible.bias, rbm.hidden.bias])).sum().item()
    assert bound(rbm, starts=3, sweeps=1) == pytest.approx(exact, abs=1e-9)


def test_after_any_number_of_sweeps_it_is_a_bound_and_it_rises():
    rbm = machine("bernoulli", "bernoulli", seed=2, size=2.0)
    found = [bound(rbm, starts=1, sweeps=sweeps) for sweeps in (1, 2, 3, 10, 100)]
    assert all(one <= other + 1e-9 for one, other in itertools.pairwise(found))
    assert found[-1] < oracle.log_z(plain(rbm))


def test_a_context_and_absent_units_count():
    torch.manual_seed(0)
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.Conditional(hm.Dense(4, 3, scale=0.1), 2)).double()
    for parameter in rbm.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    context = torch.tensor([1.5, -2.0], dtype=torch.float64)
    for given in (Given(context=context), Given(context=context, present=torch.tensor([True, False, True, True]))):
        exact = hm.likelihood.exact_log_z(rbm, given=given)
        assert exact - 0.3 < bound(rbm, given=given) < exact


def test_it_begins_at_states_that_are_given():
    rbm = far_mode()
    for begun, expected in ((torch.zeros(1, 16), 0.07), (torch.ones(1, 16), of_far_mode())):
        assert bound(rbm, v=begun.double(), starts=0, sweeps=3) == pytest.approx(expected, abs=0.1)


def test_a_machine_that_runs_away_has_none():
    rbm = hm.RBM(hm.Gaussian(2, variance=1.0), hm.Gaussian(2)).double()
    torch.nn.init.constant_(rbm.coupling.weight, 3.0)
    assert bound(rbm, sweeps=2000) is None


@pytest.mark.parametrize("seed", range(3))
def test_evaluate_finds_the_mode_that_all_chains_miss(seed):
    """Both lengths of annealing and the tempered chains agree on 0.07, and log Z is 4.40."""
    found = evaluate(far_mode(), torch.tensor(near_zero(200)), exact=False, seed=seed, **QUICK)
    for way in (found.short, found.long, found.reverse):
        assert way.log_z == pytest.approx(0.07, abs=0.03)
    assert of_far_mode() - 0.1 < found.log_z_of_a_mode < of_far_mode()
    assert found.verdict == "doubtful"
    assert f"mean field alone finds a mode that makes log Z at least {found.log_z_of_a_mode:.2f}" in found.trust
    assert found.cautious.name == "at most, by a mode"
    assert found.cautious.nats == pytest.approx(found.nats + found.log_z - found.log_z_of_a_mode)
    assert "at most, by a mode" in str(found)
    assert math.isclose(found.cautious.nats, evaluate(far_mode(), torch.tensor(near_zero(200))).nats, abs_tol=0.1)


def test_a_mode_that_estimates_know_of_is_not_spoken_of():
    rbm = machine("bernoulli", "bernoulli", seed=1)
    found = evaluate(rbm, torch.zeros(20, 3), exact=False, **QUICK)
    assert found.log_z_of_a_mode < found.log_z
    assert "mode" not in found.cautious.name
    assert "by a mode" not in str(found)

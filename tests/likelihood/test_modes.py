"""The bound of mean field lies below log Z for every pair of units, touches it where units are independent, and finds far modes."""

import itertools
import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import evaluate, log_z_of_a_mode
from harmonium.units import Given
from tests import oracle
from tests.likelihood.test_evaluate import QUICK, far_mode, near_zero, of_far_mode
from tests.models.machines import PAIRS, machine, plain


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_it_is_below_log_z_and_near_it_where_weights_are_small(visible, hidden):
    for size in (0.05, 0.7):
        rbm = machine(visible, hidden, seed=3, size=size)
        log_z, found = oracle.log_z(plain(rbm)), log_z_of_a_mode(rbm)
        assert found < log_z + 1e-6
        if size == 0.05:
            assert found > log_z - 0.5


def test_it_is_log_z_where_units_are_independent():
    rbm = hm.RBM(hm.Bernoulli(20), hm.Bernoulli(15), hm.Dense(20, 15, scale=0.0)).double()
    torch.nn.init.normal_(rbm.visible.bias)
    torch.nn.init.normal_(rbm.hidden.bias)
    exact = torch.nn.functional.softplus(torch.cat([rbm.visible.bias, rbm.hidden.bias])).sum().item()
    assert log_z_of_a_mode(rbm, starts=3, sweeps=1) == pytest.approx(exact, abs=1e-9)


def test_after_any_number_of_sweeps_it_is_a_bound_and_it_rises():
    rbm = machine("bernoulli", "bernoulli", seed=2, size=2.0)
    found = [log_z_of_a_mode(rbm, starts=1, sweeps=sweeps) for sweeps in (1, 2, 3, 10, 100)]
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
        assert exact - 0.3 < log_z_of_a_mode(rbm, given=given) < exact


def test_it_begins_at_states_that_are_given():
    rbm = far_mode()
    for begun, expected in ((torch.zeros(1, 16), 0.07), (torch.ones(1, 16), of_far_mode())):
        assert log_z_of_a_mode(rbm, v=begun.double(), starts=0, sweeps=3) == pytest.approx(expected, abs=0.1)


def test_a_machine_that_runs_away_has_none():
    rbm = hm.RBM(hm.Gaussian(2, variance=1.0), hm.Gaussian(2)).double()
    torch.nn.init.constant_(rbm.coupling.weight, 3.0)
    assert log_z_of_a_mode(rbm, sweeps=2000) is None


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


@pytest.mark.parametrize(
    ("model", "settings", "error", "message"),
    [
        (hm.RBM(4, 3), {"sweeps": 0}, ValueError, "at least one beginning and one sweep, found starts=100 and sweeps=0"),
        (hm.RBM(4, 3), {"starts": 0}, ValueError, "found starts=0"),
        (hm.RBM(4, 3), {"v": torch.zeros(2, 5)}, ValueError, r"expected states of shape \(cases, 4\), found \(2, 5\)"),
        (hm.RBM(4, 3), {"v": [[0, 1, 2, 0]]}, ValueError, "expect 0 or 1"),
        (
            hm.DBN([hm.RBM(4, 3)]),
            {},
            TypeError,
            "a search for modes takes an RBM, found DBN; .* that of its `top`",
        ),
        (hm.RBM(hm.Gaussian(4), hm.NoisyReLU(3)), {}, TypeError, "no joint energy"),
    ],
)
def test_what_cannot_be_searched(model, settings, error, message):
    with pytest.raises(error, match=message):
        log_z_of_a_mode(model, **settings)


def test_states_may_be_an_array():
    rbm = far_mode()
    assert log_z_of_a_mode(rbm, np.ones((1, 16), dtype=np.uint8), starts=0) == pytest.approx(of_far_mode(), abs=0.1)

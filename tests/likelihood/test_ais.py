"""Annealed importance sampling against exact log Z."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood.annealing import estimate, standard_schedule
from tests import oracle
from tests.models.machines import PAIRS, machine, plain


def ratio(result, log_z):
    """Ẑ / Z of an estimate, unbiased, and its standard error."""
    weights = np.exp(result.log_weights.numpy())
    scale = math.exp(result.log_z - log_z) / weights.mean()
    return scale * weights.mean(), scale * weights.std(ddof=1) / math.sqrt(len(weights))


def random_machine(seed, visible=8, hidden=6):
    generator = torch.Generator().manual_seed(seed)
    rbm = hm.RBM(hm.Bernoulli(visible), hm.Bernoulli(hidden))
    for parameter in rbm.parameters():
        parameter.data.normal_(std=0.8, generator=generator)
    return rbm


def test_within_three_standard_errors_on_nineteen_of_twenty_machines():
    near, ratios, errors = 0, [], []
    for seed in range(20):
        rbm = random_machine(seed)
        log_z = hm.likelihood.exact_log_z(rbm)
        result = hm.likelihood.ais(rbm, chains=200, betas=100, seed=seed)
        assert 0 < result.standard_error < 0.2
        near += abs(result.log_z - log_z) < 3 * result.standard_error
        one, error = ratio(result, log_z)
        ratios.append(one)
        errors.append(error)
    assert near >= 19
    assert abs(np.mean(ratios) - 1) < 3 * math.sqrt(np.mean(np.square(errors)) / 20)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_every_pair(visible, hidden):
    """With few betas, so that the weights vary and a wrong path would show: Ẑ / Z is unbiased however coarse the path."""
    rbm = machine(visible, hidden, seed=6)
    log_z = oracle.log_z(plain(rbm))
    for base_rates in (None, rbm.visible.mean(rbm.visible.zero_input()).detach()):
        result = hm.likelihood.ais(rbm, chains=2000, betas=np.linspace(0, 1, 9).tolist(), seed=1, base_rates=base_rates)
        one, error = ratio(result, log_z)
        assert abs(one - 1) < 4 * error + 1e-6
        assert error < 0.1


def test_base_rates_of_the_data_narrow_the_estimate():
    rbm = random_machine(3)
    with torch.no_grad():
        rbm.visible.bias += torch.linspace(-6, 6, 8)
    near = rbm.visible_mean(torch.full((1, 6), 0.5))[0].detach()
    far = torch.full((8,), 0.5)
    spread = [hm.likelihood.ais(rbm, chains=500, betas=100, seed=0, base_rates=rates).standard_error for rates in (near, far)]
    assert spread[0] < spread[1] / 2


def test_the_same_seed_gives_the_same_estimate():
    rbm = random_machine(1)
    found = [hm.likelihood.ais(rbm, chains=50, betas=20, seed=seed).log_z for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_weights_that_vary_too_much_warn():
    rbm = random_machine(0)
    with torch.no_grad():
        rbm.coupling.weight *= 10
    with pytest.warns(UserWarning, match=r"effective sample size is .* of 100 chains.*more than the present 2 betas"):
        hm.likelihood.ais(rbm, chains=100, betas=[0.0, 1.0], base_rates=torch.full((8,), 0.5))


NAN = float("nan")


@pytest.mark.parametrize(
    "betas", [0, 1, [], [0.0], [0.0, 0.5], [0.1, 1.0], [0.0, 0.6, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0], [0.0, NAN, 1.0], [1.0, 0.0], -3]
)
def test_a_path_must_go_from_nothing_to_the_model(betas):
    with pytest.raises(ValueError, match="betas"):
        hm.likelihood.ais(random_machine(0), chains=4, betas=betas)


@pytest.mark.parametrize("count", [2, 3, 100, 14500])
def test_the_standard_schedule_rises_in_the_published_proportions(count):
    path = standard_schedule(count)
    assert len(path) == count
    assert path[0] == 0
    assert path[-1] == 1
    assert (path.diff() > 0).all()
    if count == 14500:
        assert [int((path <= beta).sum()) for beta in (0.5, 0.9)] == pytest.approx([500, 4500], abs=2)


def test_the_estimates_figures_by_hand():
    log_weights = torch.tensor([0.0, math.log(3.0)], dtype=torch.float64)
    found = estimate(log_weights + 700, 5.0)
    assert found.log_z == pytest.approx(705 + math.log(2))
    assert found.ess == pytest.approx(16 / 10)
    assert found.standard_error == pytest.approx(math.sqrt(2) / 2 / math.sqrt(2))
    assert estimate(torch.zeros(1, dtype=torch.float64), 0.0).standard_error == math.inf


def test_a_large_step_of_many_confident_units_keeps_single_precision():
    """From inputs of 16.75 to 0.25 in one step: a hundred hidden units whose log-partition changes by 15.9 nats each."""
    rbm = hm.RBM(hm.Bernoulli(1), hm.Bernoulli(100))
    with torch.no_grad():
        rbm.coupling.weight.fill_(16.5)
        rbm.hidden.bias.fill_(0.25)
    options = {"betas": [0.0, 1.0], "base_rates": torch.tensor([0.999]), "seed": 0}
    forward, backward = hm.likelihood.ais(rbm, **options), hm.likelihood.reverse_ais(rbm, torch.ones(100, 1), **options)
    expected = 100 * (np.logaddexp(0, 16.75) - np.logaddexp(0, 0.25)) - math.log(999)  # of a chain whose pixel is on
    assert forward.log_weights.max().item() == pytest.approx(expected, abs=1e-3)
    assert backward.log_weights.max().item() == pytest.approx(expected, abs=1e-3)

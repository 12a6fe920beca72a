"""Chains that begin anew now and then find a mode that the others cannot reach, and learning takes it away."""

from functools import partial

import pytest
import torch

import harmonium as hm
from harmonium.learning.loop.settings import described
from harmonium.learning.rules import Gibbs
from harmonium.likelihood import exact_log_z
from harmonium.sampling.random_states import random_states
from tests.likelihood.test_evaluate import far_mode


def moved(restarts, chains=20_000):
    """Chains of a machine of two modes after a sweep from the lesser one: the share that is in the other."""
    rbm, generator = far_mode(), torch.Generator().manual_seed(0)
    slots = {"chains": torch.zeros(chains, 16, dtype=torch.float64)}
    Gibbs(restarts=restarts).move(rbm, slots, 1, generator)
    return (slots["chains"].mean(1) > 0.5).double().mean().item()


def test_a_share_of_the_chains_begins_anew():
    every, some = moved(1.0), moved(0.1)
    assert 0.2 < every < 0.5
    assert moved(0.0) == 0
    assert abs(some - 0.1 * every) < 4 * (some / 20_000) ** 0.5


@pytest.mark.filterwarnings("ignore::harmonium.Advice")  # what is left are base rates
@pytest.mark.parametrize("restarts", [0.0, 0.02])
def test_learning_takes_a_far_mode_away_only_if_some_chain_finds_it(restarts):
    rbm = far_mode()
    data = torch.bernoulli(torch.full((200, 16), 0.05), generator=torch.Generator().manual_seed(1))
    rule = hm.PersistentCD(chains=100, sampler=Gibbs(restarts))
    hm.fit(rbm, data, negative=rule, epochs=150, batch_size=50, optimizer=partial(torch.optim.SGD, lr=0.02), seed=0, progress=False)
    near = exact_log_z_near_zero(rbm)
    share = 1 - torch.exp(torch.tensor(near - exact_log_z(rbm))).item()
    assert share < 0.05 if restarts else share > 0.5


def exact_log_z_near_zero(rbm):
    """log of the unnormalised probability of all visible states with at most half of the units on."""
    every = rbm.visible.states(torch.arange(2**16))
    return torch.logsumexp(-rbm.free_energy(every)[every.sum(1) <= 8], 0).item()


def test_random_states_have_few_or_many_units_on():
    found = random_states(hm.Bernoulli(50), 4000, generator=torch.Generator().manual_seed(0)).mean(1)
    assert ((found < 0.1).double().mean() > 0.05).item()
    assert ((found > 0.9).double().mean() > 0.05).item()
    assert abs(found.mean() - 0.5) < 0.03


def test_replicas_and_deep_machines_restart_too():
    data = torch.bernoulli(torch.full((40, 6), 0.4), generator=torch.Generator().manual_seed(1))
    rule = hm.PersistentCD(chains=7, sampler=Gibbs(0.5))
    many = hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(3)])
    assert hm.fit(many, data, negative=rule, epochs=2, progress=False).chains.shape == (3, 7, 6)
    dbm = hm.DBM([hm.Bernoulli(size) for size in (6, 5, 4)])
    hm.fit(dbm, data, negative=rule, epochs=2, progress=False)
    assert all(bool(parameter.isfinite().all()) for parameter in dbm.parameters())


@pytest.mark.parametrize("restarts", [-0.1, 1.5, float("nan"), "0.1", None])
def test_a_probability(restarts):
    with pytest.raises(ValueError, match="the probability that a chain begins anew"):
        Gibbs(restarts)


def test_checkpoints_from_before_there_were_restarts_still_match():
    assert described(hm.PersistentCD(5)) == "PersistentCD(chains=5, steps=1, sampler=Gibbs())"
    assert described(hm.PersistentCD(5, sampler=Gibbs(0.1))) == "PersistentCD(chains=5, steps=1, sampler=Gibbs(restarts=0.1))"

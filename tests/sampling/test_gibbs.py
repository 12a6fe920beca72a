"""Gibbs sampling leaves the exact distribution as it is, and reaches it from elsewhere."""

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from harmonium.sampling import gibbs
from tests import oracle
from tests.models.machines import close, machine, plain

CHAINS = 20000
DISCRETE = [("bernoulli", "bernoulli"), ("softmax", "bernoulli"), ("bernoulli", "gaussian"), ("bernoulli_softmax", "learnt_gaussian")]


def exact_chains(rbm, seed):
    """Independent draws from p(v), through the enumerated p(h) where the visible units are real."""
    exact, draw = plain(rbm), np.random.default_rng(seed)
    if rbm.visible.count == np.inf:
        h, p = oracle.visible_distribution(exact.flipped())
        states = h[draw.choice(len(h), CHAINS, p=p / p.sum())]
        mean = oracle.hidden_moments(exact.flipped(), states)[0]
        return torch.tensor(mean + draw.normal(size=mean.shape) * np.sqrt(exact.visible[0].variance))
    v, p = oracle.visible_distribution(exact)
    return torch.tensor(v[draw.choice(len(v), CHAINS, p=p / p.sum())])


def counts(states, found):
    """How often each row of `states` stands in `found`."""
    places = {tuple(row): n for n, row in enumerate(states)}
    return np.bincount([places[tuple(row)] for row in found.numpy()], minlength=len(states))


def chi_square(rbm, found):
    """The p-value of the empirical distribution under the enumerated one."""
    v, p = oracle.visible_distribution(plain(rbm))
    return stats.chisquare(counts(v, found), p / p.sum() * len(found)).pvalue


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_the_exact_distribution_stays(visible, hidden, steps):
    rbm = machine(visible, hidden, seed=1)
    found = rbm.gibbs(exact_chains(rbm, 0), steps=steps, generator=torch.Generator().manual_seed(1))
    assert chi_square(rbm, found) > 1e-3


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_chains_from_anywhere_reach_it(visible, hidden):
    rbm = machine(visible, hidden, seed=1)
    generator = torch.Generator().manual_seed(2)
    start = rbm.visible.sample(rbm.visible.zero_input(CHAINS), generator=generator)
    assert chi_square(rbm, start) < 1e-6
    assert chi_square(rbm, rbm.gibbs(start, steps=40, generator=generator)) > 1e-3


def test_real_units_keep_their_moments():
    """Gaussian-Bernoulli: p(v) is a mixture whose moments follow from the enumerated p(h); four standard errors."""
    rbm = machine("gaussian", "bernoulli", seed=1, size=1.0)
    h, p = oracle.visible_distribution(plain(rbm).flipped())
    mean, variance = oracle.hidden_moments(plain(rbm).flipped(), h)
    found = rbm.gibbs(exact_chains(rbm, 3), steps=3, generator=torch.Generator().manual_seed(4)).numpy()
    second = np.einsum("k,ki,kj->ij", p, mean, mean) + np.diag(p @ variance)
    products = found[:, :, None] * found[:, None, :]
    assert (np.abs(found.mean(0) - p @ mean) < 4 * found.std(0) / np.sqrt(CHAINS)).all()
    assert (np.abs(products.mean(0) - second) < 4 * products.std(0) / np.sqrt(CHAINS)).all()


@pytest.mark.parametrize(("visible", "hidden"), DISCRETE)
def test_one_step_draws_from_the_exact_conditionals(visible, hidden):
    """From one visible state: h is drawn from p(h | v), then v' from the transition that the tables give."""
    rbm = machine(visible, hidden, seed=2)
    v, _ = oracle.table(plain(rbm).visible)
    states = torch.tensor(v[-1:]).expand(CHAINS, -1)
    state, info = gibbs.step(rbm, gibbs.GibbsState(states), generator=torch.Generator().manual_seed(5))
    h, up = oracle.conditional(plain(rbm), v[-1:])
    transition = (up @ oracle.conditional(plain(rbm).flipped(), h)[1])[0]
    assert stats.chisquare(counts(v, state.v), transition / transition.sum() * CHAINS).pvalue > 1e-3
    mean = up[0] @ h
    assert (np.abs(info.h.numpy().mean(0) - mean) < 4 * np.sqrt((up[0] @ (h - mean) ** 2) / CHAINS)).all()
    close(info.visible_mean[:50], oracle.hidden_moments(plain(rbm).flipped(), info.h[:50].numpy())[0])


def test_chains_begin_at_the_visible_units_own_biases():
    rbm = machine("bernoulli", "bernoulli", seed=3)
    state = gibbs.init(rbm, CHAINS, generator=torch.Generator().manual_seed(6))
    p = 1 / (1 + np.exp(-plain(rbm).visible[0].bias))
    assert (np.abs(state.v.numpy().mean(0) - p) < 4 * np.sqrt(p * (1 - p) / CHAINS)).all()
    assert not state.given


def test_a_step_leaves_its_argument_alone_and_repeats_with_its_seed():
    rbm = machine("bernoulli", "bernoulli")
    state = gibbs.init(rbm, 10, generator=torch.Generator().manual_seed(0))
    before = state.v.clone()
    first, _ = gibbs.step(rbm, state, generator=torch.Generator().manual_seed(1))
    again, _ = gibbs.step(rbm, state, generator=torch.Generator().manual_seed(1))
    assert torch.equal(state.v, before)
    assert torch.equal(first.v, again.v)
    assert torch.equal(first.v, rbm.gibbs(before, steps=1, generator=torch.Generator().manual_seed(1)))


def test_no_sweeps_change_nothing():
    v = torch.ones(3, 3, dtype=torch.float64)
    assert hm.RBM.gibbs(machine("bernoulli", "bernoulli"), v, steps=0, generator=torch.Generator()) is v

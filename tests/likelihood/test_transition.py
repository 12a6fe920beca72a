"""The Gibbs sampler's exact transition against tables of the joint distribution that share no code with it."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import exact_transition
from tests import oracle
from tests.models.machines import EVERY_PAIR, close, machine, plain

LISTED = ("bernoulli", "softmax", "spin", "binomial", "stepped", "pooled", "bernoulli_softmax", "spin_binomial_pooled")
PAIRS = [pair for pair in EVERY_PAIR if set(pair) <= set(LISTED)]


def places(states, table):
    """Where each state stands in the table."""
    match = np.abs(states[:, None] - table[None]).sum(-1) < 1e-9
    assert (match.sum(1) == 1).all()
    return match.argmax(1)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_of_every_pair_that_can_be_listed(visible, hidden):
    rbm = machine(visible, hidden, seed=1)
    v, _, joint = oracle.joint_distribution(plain(rbm))
    # A state that the table lists more than once (copies of a binomial unit) has the measure of all of them already.
    marginal = joint.sum(1)
    expected = (joint / marginal[:, None]) @ (joint / joint.sum(0)).T
    found = exact_transition(rbm)
    order = places(found.states.detach().numpy().reshape(len(found.states), -1), v)
    assert sorted(order) == list(range(len(v)))
    close(found.matrix, expected[np.ix_(order, order)], 1e-9)
    close(found.after(torch.tensor(marginal[order]), 3), marginal[order], 1e-9)
    start = np.zeros((2, len(v)))
    start[0, 0] = start[1, 1] = 1
    close(found.after(torch.tensor(start), 4), start @ np.linalg.matrix_power(expected[np.ix_(order, order)], 4), 1e-9)


def test_it_is_where_sampled_chains_are():
    rbm = machine("bernoulli", "bernoulli", seed=3, size=2.0)
    transition = exact_transition(rbm)
    chains = 40_000
    v = rbm.gibbs(transition.states[[5]].expand(chains, -1), steps=2, generator=torch.Generator().manual_seed(0))
    numbers = (v.long() * 2 ** torch.arange(3)).sum(1)
    share = torch.bincount(numbers, minlength=8) / chains
    p = transition.after(torch.eye(8, dtype=torch.float64)[5], 2).detach()
    assert bool(((share - p).abs() < 4 * (p * (1 - p) / chains).sqrt()).all())


def test_the_expected_update_of_contrastive_divergence():
    """<∂E/∂θ> under p_0 minus that under p_0 T^k is what CD-k's updates are on average."""
    rbm = machine("bernoulli", "spin", seed=2, size=1.5)
    transition = exact_transition(rbm)
    p = torch.softmax(torch.arange(8, dtype=torch.float64) % 3, 0)
    rbm.accumulate_gradient(rbm.infer(transition.states), weights=(p - transition.after(p, 2)).detach(), fresh=True)
    expected = {name: parameter.grad.clone() for name, parameter in rbm.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    cases = transition.states[p.multinomial(100_000, replacement=True, generator=generator)]
    first, last = rbm.infer(cases), rbm.infer(rbm.gibbs(cases, steps=2, generator=generator))
    for name, found in {
        "visible.bias": -(first.v - last.v),
        "hidden.bias": -(first.hidden_mean - last.hidden_mean),
        "coupling.weight": -(first.v[:, :, None] * first.hidden_mean[:, None] - last.v[:, :, None] * last.hidden_mean[:, None]),
    }.items():
        error = found.std(0) / len(found) ** 0.5
        assert bool(((found.mean(0) - expected[name]).abs() < 4 * error).all()), name


def test_it_can_be_differentiated():
    rbm = machine("bernoulli", "bernoulli", seed=4)
    p = torch.full((8,), 1 / 8, dtype=torch.float64)
    exact_transition(rbm).after(p, 3)[2].backward()
    slope = rbm.coupling.weight.grad[1, 2].item()
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            rbm.coupling.weight[1, 2] += step
            values.append(exact_transition(rbm).after(p, 3)[2].item())
            rbm.coupling.weight[1, 2] -= step
    assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6)
    assert slope != 0


def test_what_it_refuses():
    with pytest.raises(ValueError, match=r"the hidden Gaussian has infinitely many"):
        exact_transition(hm.RBM(hm.Bernoulli(3), hm.Gaussian(2)))
    with pytest.raises(ValueError, match=r"at most 2\^25 pairs.*this machine has 2\^26"):
        exact_transition(hm.RBM(hm.Bernoulli(16), hm.Bernoulli(10)))
    with pytest.raises(TypeError, match="no joint energy"):
        exact_transition(hm.RBM(hm.Bernoulli(3), hm.NoisyReLU(2)))

"""Whole distributions and total correlations against tables that share no code with the package."""

import itertools
import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import Distribution, exact_distribution, total_correlation
from tests import oracle
from tests.likelihood.test_transition import PAIRS, places
from tests.models.machines import close, machine, plain

NETS = [("bernoulli",) * 4, ("softmax", "binomial", "spin", "bernoulli_softmax"), ("spin", "bernoulli")]


def check(found, states, p):
    """The same probabilities, whatever the order of the states."""
    order = places(found.states.detach().numpy().reshape(len(found.states), -1), states)
    assert len(order) == len(states)
    close(found.p, p[order], 1e-12)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_of_every_machine_that_can_be_listed(visible, hidden):
    rbm = machine(visible, hidden, seed=1)
    v, h, joint = oracle.joint_distribution(plain(rbm))
    check(exact_distribution(rbm), v, joint.sum(1))
    check(exact_distribution(rbm, layer=1), h, joint.sum(0))


@pytest.mark.parametrize("kinds", NETS, ids="-".join)
def test_of_every_layer_of_a_net(kinds):
    rbms = [machine(below, above, seed=n, size=1.5) for n, (below, above) in enumerate(itertools.pairwise(kinds))]
    dbn = hm.DBN(rbms)
    x, h, joint = oracle.joint_distribution(plain(rbms[-1]))
    check(exact_distribution(dbn, layer=len(rbms)), h, joint.sum(0))
    p = joint.sum(1)
    check(exact_distribution(dbn, layer=len(rbms) - 1), x, p)
    for layer in range(len(rbms) - 2, -1, -1):
        below, conditional = oracle.conditional(plain(rbms[layer]).flipped(), x)
        x, p = below, p @ conditional
        check(exact_distribution(dbn, layer=layer), x, p)
    assert p.sum() == pytest.approx(1)


def test_labels_are_summed_out():
    rbms = [machine("bernoulli", "bernoulli"), machine(hm.Groups(hm.Bernoulli(3), hm.Softmax(1, categories=3)), "bernoulli", size=2.0)]
    v, p = oracle.visible_distribution(plain(rbms[1]))
    x, conditional = oracle.table(plain(rbms[0]).hidden)[0], oracle.conditional(plain(rbms[0]).flipped(), v[:, :3])[1]
    dbn = hm.DBN(rbms, labels=True)
    check(exact_distribution(dbn), oracle.table(plain(rbms[0]).visible)[0], p @ conditional)
    check(exact_distribution(dbn, layer=1), x, np.array([p[(v[:, :3] == row).all(1)].sum() for row in x]))


def test_a_deep_boltzmann_machines_even_layers():
    dbm = hm.DBM([hm.Bernoulli(2), hm.Bernoulli(3), hm.Bernoulli(2)], seed=3).double()
    for parameter in dbm.parameters():
        parameter.data.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    found = exact_distribution(dbm.joint)
    assert found.states.shape == (16, 4)
    log_p = [
        -math.log(sum(math.exp(-dbm.joint.energy(v, h).item()) for h in dbm.odd.states(torch.arange(8))[:, None]))
        for v in found.states[:, None]
    ]
    close(found.p, np.exp(-np.array(log_p)) / np.exp(-np.array(log_p)).sum(), 1e-12)


def test_it_has_a_gradient():
    rbms = [machine("bernoulli", "bernoulli", seed=n) for n in range(2)]
    dbn = hm.DBN(rbms)
    weight = dbn.generative[0].coupling.weight
    (slope,) = torch.autograd.grad(exact_distribution(dbn).p[5].log(), weight)
    step = torch.zeros_like(weight)
    step[1, 2] = 1e-5
    ends = []
    for sign in (1, -1):
        weight.data += sign * step
        ends.append(exact_distribution(dbn).p[5].log().item())
        weight.data -= sign * step
    assert slope[1, 2].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


def test_what_it_refuses():
    with pytest.raises(ValueError, match="0, the data's, to 1, found layer=2"):
        exact_distribution(machine("bernoulli", "bernoulli"), layer=2)
    with pytest.raises(ValueError, match=r"at most 2\^20, found infinitely many"):
        exact_distribution(machine("gaussian", "bernoulli"))
    with pytest.raises(ValueError, match="found layer=-1"):
        exact_distribution(machine("bernoulli", "bernoulli"), layer=-1)
    with pytest.raises(ValueError, match=r"2\^25 pairs"):
        exact_distribution(hm.DBN([hm.RBM(hm.Bernoulli(14), hm.Bernoulli(12)), hm.RBM(hm.Bernoulli(12), hm.Bernoulli(2))]))
    with pytest.raises(ValueError, match="pooled"):
        exact_distribution(hm.DBN([machine("bernoulli", "pooled"), machine(hm.Bernoulli(2), "bernoulli")]))
    with pytest.raises(TypeError, match="NoisyReLU"):
        exact_distribution(hm.RBM(hm.Bernoulli(2), hm.NoisyReLU(2)), layer=1)
    with pytest.raises(ValueError, match="for each of 4 states"):
        total_correlation(Distribution(torch.zeros(4, 2), torch.ones(3)))


def test_total_correlation():
    """Of two coins and a die: zero for products, the mutual information otherwise, and log 2 of a coin and its copy."""
    states = torch.tensor(list(itertools.product((0.0, 1.0), (-1.0, 1.0), (0.0, 1.0, 5.0))))
    draw = np.random.default_rng(0)
    parts = [draw.dirichlet(np.ones(n)) for n in (2, 2, 3)]
    factorial = np.einsum("i,j,k->ijk", *parts)
    joint = draw.dirichlet(np.ones(12)).reshape(2, 2, 3)
    copied = np.zeros((2, 2, 3))
    copied[[0, 1], [0, 1], 2] = 0.5
    expected = []
    for p in (factorial, joint, copied):
        product = np.einsum("i,j,k->ijk", p.sum((1, 2)), p.sum((0, 2)), p.sum((0, 1)))
        expected.append(sum(a * math.log(a / b) for a, b in zip(p.ravel(), product.ravel(), strict=True) if a > 0))
    found = total_correlation(Distribution(states, torch.tensor(np.array([factorial, joint, copied])).reshape(3, 12)))
    assert found.numpy() == pytest.approx(expected, abs=1e-14)
    assert found[0].abs() < 1e-14
    assert found[2].item() == pytest.approx(math.log(2))

"""The closed-form gradient against autograd of the free energy."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING, Given

from .machines import EVERY_PAIR, PAIRS, close, kind_of, leaves, machine, made, randomise, samples

TOLERANCE = 1e-6


def autograd(rbm, v, weights, given=NOTHING):
    rbm.zero_grad(set_to_none=True)
    (weights * rbm.free_energy(v, given)).sum().backward()
    return gradients(rbm)


def closed(rbm, v, given=NOTHING, **settings):
    rbm.zero_grad(set_to_none=True)
    rbm.accumulate_gradient(rbm.infer(v, given), given=given, **settings)
    return gradients(rbm)


def gradients(rbm):
    """Of every parameter that is learnt, by name."""
    for name, parameter in rbm.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    return {name: parameter.grad.clone() for name, parameter in rbm.named_parameters() if parameter.requires_grad}


def agree(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        close(found[name], expected[name], TOLERANCE)


def drawn_weights(*leading):
    return torch.tensor(np.random.default_rng(3).uniform(0, 2, leading))


@pytest.mark.parametrize(("visible", "hidden"), EVERY_PAIR)
def test_every_pair(visible, hidden):
    rbm = machine(visible, hidden, seed=1)
    v = torch.tensor(samples(rbm.visible, 6, 4))
    agree(closed(rbm, v), autograd(rbm, v, torch.ones(6)))
    weights = drawn_weights(6)
    agree(closed(rbm, v, weights=weights, scale=0.3), autograd(rbm, v, 0.3 * weights))


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_two_leading_axes(visible, hidden):
    rbm = machine(visible, hidden, seed=2)
    v = torch.tensor(samples(rbm.visible, 6, 5)).reshape(2, 3, -1)
    agree(closed(rbm, v), autograd(rbm, v, torch.ones(2, 3)))
    weights = drawn_weights(2, 3)
    agree(closed(rbm, v, weights=weights), autograd(rbm, v, weights))


@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_shared_biases_and_variances_of_shaped_layers(visible, hidden, leading):
    kinds = {
        "bernoulli": lambda *shapes: hm.Bernoulli(shapes[0], bias_shape=shapes[1]),
        "gaussian": lambda *shapes: hm.Gaussian(shapes[0], bias_shape=shapes[1], variance_shape=shapes[2], learn_variance=True),
    }
    rbm = hm.RBM(kinds[visible]((2, 3, 2), (2, 1, 1), (3, 1)), kinds[hidden]((2, 2), (2,), (2, 1))).double()
    draw = np.random.default_rng(6)
    randomise(rbm.visible, draw)
    randomise(rbm.hidden, draw)
    rbm.coupling.weight.data = torch.tensor(0.3 * draw.normal(size=(12, 4)))
    v = torch.tensor(draw.integers(2, size=(*leading, 2, 3, 2)).astype(float))
    weights = drawn_weights(*leading)
    agree(closed(rbm, v, weights=weights), autograd(rbm, v, weights))
    assert rbm.visible.bias.grad.shape == (2, 1, 1)


def test_fresh_replaces_and_otherwise_adds():
    rbm = machine("learnt_gaussian", "bernoulli")
    v = torch.tensor(samples(rbm.visible, 4, 1))
    once = closed(rbm, v)
    rbm.accumulate_gradient(rbm.infer(v), scale=2.0)
    agree({name: p.grad for name, p in rbm.named_parameters()}, {name: 3 * g for name, g in once.items()})
    rbm.accumulate_gradient(rbm.infer(v), fresh=True)
    agree({name: p.grad for name, p in rbm.named_parameters()}, once)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_batches_add_up_to_the_whole(visible, hidden):
    """Sums are carried undivided, so that a short last batch weighs what it should."""
    rbm = machine(visible, hidden)
    v, weights = torch.tensor(samples(rbm.visible, 7, 1)), drawn_weights(7)
    whole = closed(rbm, v, weights=weights)
    rbm.zero_grad(set_to_none=True)
    for rows, share in zip(v.split(3), weights.split(3), strict=True):
        rbm.accumulate_gradient(rbm.infer(rows), weights=share)
    agree({name: p.grad for name, p in rbm.named_parameters()}, whole)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_absent_units(visible, hidden):
    rbm = machine(visible, hidden, seed=3)
    v = torch.tensor(samples(rbm.visible, 6, 4))
    present = torch.tensor(mask(visible, 6))
    given = Given(present)
    expected = autograd(rbm, v, torch.ones(6), given)
    agree(closed(rbm, torch.where(present, v, math.nan), given), expected)


def mask(kind, cases):
    """Some units absent in each case; the categories of a softmax group stand or fall together."""
    draw, columns = np.random.default_rng(7), []
    for leaf in leaves(made(kind)):
        size = leaf.categories if kind_of(leaf) == "softmax" else 1
        columns.append(np.repeat(draw.integers(2, size=(cases, leaf.shape[0] // size)).astype(bool), size, axis=1))
    return np.concatenate(columns, axis=1)

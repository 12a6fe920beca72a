"""Directed layers: probabilities by enumeration, closed-form gradients by autograd."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models import Directed
from harmonium.units import NOTHING, Given
from tests import oracle
from tests.models.machines import PAIRS, close, machine, plain, samples

SOME = [*PAIRS[::4], ("bernoulli_softmax", "bernoulli"), ("learnt_gaussian", "bernoulli"), ("replicated", "bernoulli")]


def pair(visible, hidden, cases=6):
    """The two directed layers of a random machine, with states of its layers."""
    rbm = machine(visible, hidden, seed=3)
    up, down = Directed(rbm.hidden, rbm.coupling, rbm.visible, upward=True), Directed(rbm.visible, rbm.coupling, rbm.hidden, upward=False)
    v, h = torch.tensor(samples(rbm.visible, cases, 1)), torch.tensor(samples(rbm.hidden, cases, 2))
    return rbm, up, down, v, h


@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "softmax"), ("binomial", "bernoulli"), ("bernoulli", "stepped")])
def test_probabilities_are_those_of_the_table(visible, hidden):
    rbm, up, down, v, h = pair(visible, hidden)
    for layer, table, states, given in ((up, plain(rbm), h, v), (down, plain(rbm).flipped(), v, h)):
        every, p = oracle.conditional(table, given.numpy())
        places = {tuple(row): n for n, row in enumerate(every)}
        expected = [p[n, places[tuple(row)]] for n, row in enumerate(states.numpy())]
        close(layer.log_probability(states, given).exp(), np.array(expected), 1e-10)


def by_autograd(layer, states, neighbour, weights, given=NOTHING):
    """Of the layer's own parameters alone."""
    own = {name: p for name, p in layer.named_parameters() if not name.startswith("neighbour") and p.requires_grad}
    (-(weights * layer.log_probability(states, neighbour, given))).sum().backward()
    found = {name: p.grad.clone() for name, p in own.items() if p.grad is not None}
    layer.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize(("visible", "hidden"), SOME)
def test_the_gradient_is_that_of_the_probability(visible, hidden):
    _, up, down, v, h = pair(visible, hidden)
    weights = torch.tensor(np.random.default_rng(0).uniform(0, 2, len(v)))
    for layer, states, neighbour in ((up, h, v), (down, v, h)):
        for each in (None, weights):
            expected = by_autograd(layer, states, neighbour, torch.ones(len(v)) if each is None else each)
            for fresh, scale, total in ((True, 0.5, 0.5), (False, -2.0, -1.5), (True, 0.3, 0.3)):
                mean = layer.accumulate_gradient(states, neighbour, weights=each, scale=scale, fresh=fresh)
                for name, gradient in expected.items():
                    close(layer.get_parameter(name).grad, total * gradient, 1e-8)
            assert {name for name, p in layer.named_parameters() if p.grad is not None} <= set(expected)
            side = NOTHING if layer.upward else layer.unit.given_by(states)
            close(mean, layer.unit.mean(layer.input(neighbour), side), 1e-12)
            layer.zero_grad(set_to_none=True)


def test_means_in_place_of_states_have_the_gradient_of_the_cross_entropy():
    rbm, _, down, _, h = pair("bernoulli", "bernoulli")
    grey = torch.rand(len(h), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = rbm.visible_mean(h)
    torch.nn.functional.binary_cross_entropy(p, grey, reduction="sum").backward()
    expected = rbm.coupling.weight.grad.clone(), rbm.visible.bias.grad.clone()
    down.accumulate_gradient(grey, h, fresh=True)
    close(rbm.coupling.weight.grad, expected[0], 1e-10)
    close(rbm.visible.bias.grad, expected[1], 1e-10)


@pytest.mark.parametrize("upward", [True, False])
def test_dynamic_biases_of_the_neighbour_learn_nothing(upward):
    coupling = hm.Conditional(hm.Dense(3, 2), 2).double()
    draw = torch.Generator().manual_seed(0)
    for parameter in coupling.parameters():
        parameter.data.normal_(generator=draw)
    visible, hidden = hm.Bernoulli(3).double(), hm.Bernoulli(2).double()
    units = (hidden, coupling, visible) if upward else (visible, coupling, hidden)
    layer = Directed(*units, upward=upward)
    v, h = torch.tensor(samples(visible, 5, 1)), torch.tensor(samples(hidden, 5, 2))
    states, neighbour = (h, v) if upward else (v, h)
    given = Given(context=torch.randn(5, 2, generator=draw, dtype=torch.float64))
    expected = by_autograd(layer, states, neighbour, torch.ones(5), given)
    layer.accumulate_gradient(states, neighbour, given=given)
    for name, gradient in expected.items():
        close(layer.get_parameter(name).grad, gradient, 1e-10)
    other = coupling.dynamic["visible" if upward else "hidden"]
    assert other.grad is None

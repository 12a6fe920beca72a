"""One of several layers against a table of every state, and against automatic differentiation."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close
from tests.units.laws import generator

LAYERS = {
    "bernoulli": lambda: hm.Bernoulli(3),
    "spin": lambda: hm.Spin(2),
    "softmax": lambda: hm.Softmax(2, categories=2),
    "binomial": lambda: hm.Binomial(2, copies=3),
    "stepped": lambda: hm.SteppedSigmoid(2, copies=2),
    "pooled": lambda: hm.PooledBlocks(4, pool=(2,)),
}


def made(kind, choices=3, seed=0):
    """Random float64 units, and a random input."""
    unit = hm.OneOf(LAYERS[kind](), choices).double()
    draw = np.random.default_rng(seed)
    unit.bias.data = torch.tensor(draw.normal(size=unit.shape))
    return unit, torch.tensor(draw.normal(size=unit.shape))


def table(unit, input):
    """Every state, and its probability from its energy alone."""
    states = unit.states(torch.arange(unit.count))
    logs = ((states * input).sum((-2, -1)) - unit.energy(states)).detach()
    return states, logs, torch.softmax(logs, 0)


@pytest.mark.parametrize("kind", LAYERS)
def test_sums_and_moments_are_those_of_the_table(kind):
    unit, input = made(kind)
    states, logs, p = table(unit, input)
    assert len(states.flatten(1).unique(dim=0)) == unit.count == 3 * LAYERS[kind]().count
    unit.check(states)
    close(unit.log_partition(input), logs.logsumexp(0), 1e-10)
    close(unit.of_each(input).detach(), torch.stack([logs[states[:, k, 0] == 1].logsumexp(0) for k in range(3)]), 1e-10)
    mean = (p[:, None, None] * states).sum(0)
    close(unit.mean(input).detach(), mean, 1e-10)
    close(unit.variance(input).detach(), (p[:, None, None] * (states - mean).square()).sum(0), 1e-10)
    assert torch.equal(unit.mode(input), states[p.argmax()])
    weights = torch.randn(unit.bias.numel(), 4, generator=generator()).double()
    close(unit.max_interaction(weights), (states.flatten(1) @ weights).amax(0), 1e-10)


@pytest.mark.parametrize("kind", LAYERS)
def test_energies_are_those_of_the_chosen_layer(kind):
    unit, _ = made(kind)
    for k in range(3):
        layer = LAYERS[kind]().double()
        layer.bias.data = unit.bias[k, 1:].detach().clone()
        h = layer.states(torch.arange(layer.count))
        states = torch.zeros(len(h), *unit.shape, dtype=torch.float64)
        states[:, k, 0], states[:, k, 1:] = 1, h
        close(unit.energy(states).detach(), (layer.energy(h) - unit.bias[k, 0]).detach(), 1e-10)


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_are_those_of_automatic_differentiation(kind):
    unit, input = made(kind)
    states, inputs = unit.states(torch.arange(5)), torch.stack([input * scale for scale in range(5)])
    weights = torch.linspace(0.2, 1.5, 5, dtype=torch.float64)
    expected = torch.autograd.grad((weights * unit.energy(states)).sum(), unit.bias)
    close(unit.parameter_gradient(states, inputs, weights)["bias"], expected[0], 1e-10)
    expected = torch.autograd.grad(-(weights * unit.log_partition(inputs)).sum(), unit.bias)
    close(unit.mean_parameter_gradient(inputs, weights)["bias"].detach(), expected[0], 1e-10)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("kind", LAYERS)
def test_draws_have_the_distribution_of_the_table(kind, temperature):
    unit, input = made(kind)
    unit.temperature.fill_(temperature)
    states, _, p = table(unit, input)
    choice = states[:, :, 0].argmax(1)
    of_each = torch.zeros(3, dtype=torch.float64).index_add_(0, choice, p)
    shares = of_each ** (1 / temperature) / (of_each ** (1 / temperature)).sum()
    p = p / of_each[choice] * shares[choice]
    count = 30_000
    close(unit.mean(input).detach(), (p[:, None, None] * states).sum(0), 1e-10)
    drawn = unit.sample(input.expand(count, *unit.shape), generator=generator())
    place = (drawn.flatten(1)[:, None] - states.flatten(1)).abs().sum(-1)
    assert bool((place.amin(1) == 0).all())
    seen = torch.bincount(place.argmin(1), minlength=len(p)) / count
    assert bool(((seen - p).abs() < 4.5 * (p * (1 - p) / count).sqrt() + 1e-9).all())


def test_states_that_are_no_choice_are_refused():
    unit = hm.OneOf(hm.Bernoulli(2), 2)
    for states, words in (
        ([[1.0, 0, 0], [1, 0, 0]], "one-hot, found z with other values or another sum"),
        ([[1.0, 0, 0], [0, 1, 0]], "zeros in the layers that do not exist"),
        ([[1.0, 0.5, 0], [0, 0, 0]], "expect 0 or 1, found 0.5"),
    ):
        with pytest.raises(ValueError, match=words):
            unit.check(torch.tensor(states))
    with pytest.raises(TypeError, match="passes nothing on to a next machine"):
        unit.as_visible_layer()
    assert unit.double().temperature.dtype == torch.float64

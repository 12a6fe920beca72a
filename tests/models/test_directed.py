"""The delta rule of a directed layer, against autograd of its log-probability written by the oracle's conditional energies."""

import numpy as np
import pytest
import torch

from harmonium.models import Directed
from tests.models.machines import LAYERS, close, kind_of, leaves, machine, possible, samples

PAIRS = [(a, b) for a in LAYERS for b in ("bernoulli", "softmax", "gaussian", "binomial") if possible(a, b)]


def log_probability(layer, states, neighbour):
    """log p(states | neighbour), (cases,), from the unit's energy and log-partition, differentiable; both are proved elsewhere."""
    s_neighbour = layer.neighbour.statistic(neighbour).detach()
    input = layer.coupling.to_hidden(s_neighbour) if layer.upward else layer.coupling.to_visible(s_neighbour)
    return (layer.unit.statistic(states) * input).sum(-1) - layer.unit.energy(states) - layer.unit.log_partition(input)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
@pytest.mark.parametrize("upward", [True, False])
def test_the_gradient_is_that_of_the_log_probability(visible, hidden, upward):
    rbm = machine(visible, hidden, seed=1)
    unit, other = (rbm.hidden, rbm.visible) if upward else (rbm.visible, rbm.hidden)
    layer = Directed(unit, rbm.coupling, other, upward=upward)
    states, neighbour = (torch.tensor(samples(each, 6, seed)) for each, seed in ((unit, 3), (other, 4)))
    weights = torch.tensor(np.random.default_rng(5).uniform(0, 2, 6))
    parameters = {name: p for name, p in rbm.named_parameters() if p.requires_grad}
    (-0.3 * weights * log_probability(layer, states, neighbour)).sum().backward()
    expected = {name: p.grad for name, p in parameters.items() if p.grad is not None}
    rbm.zero_grad(set_to_none=True)
    for fresh in (True, False):
        mean = layer.accumulate_gradient(states, neighbour, weights=weights, scale=0.15 if not fresh else 0.3, fresh=fresh)
        close(mean, layer(neighbour), 1e-12)
        factor = 1.0 if fresh else 1.5  # the second call adds half as much again
        for name, value in expected.items():
            close(parameters[name].grad, factor * value, 1e-6)


def test_of_binary_units_it_is_the_delta_rule_by_hand():
    """Hinton, Osindero & Teh (2006), appendix B: h' (v - p), written out in NumPy."""
    rbm = machine("bernoulli", "bernoulli", seed=2)
    w, b = rbm.coupling.weight.detach().numpy(), rbm.visible.bias.detach().numpy()
    v, h = np.random.default_rng(0).uniform(size=(5, 3)), samples(rbm.hidden, 5, 1)  # grey pixels: Hinton's probabilities
    surprise = v - 1 / (1 + np.exp(-(h @ w.T + b)))
    layer = Directed(rbm.visible, rbm.coupling, rbm.hidden, upward=False)
    layer.accumulate_gradient(torch.tensor(v), torch.tensor(h), scale=1 / 5, fresh=True)
    close(rbm.coupling.weight.grad, -surprise.T @ h / 5, 1e-12)
    close(rbm.visible.bias.grad, -surprise.mean(0), 1e-12)
    assert rbm.hidden.bias.grad is None


def test_every_kind_is_met():
    assert {kind_of(leaf) for kind, _ in PAIRS for leaf in leaves(LAYERS[kind]())} >= {"gaussian", "poisson", "pooled", "truncated"}

"""Any number of leading axes, shaped layers, shared biases."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import LAYERS, close, endless, randomise

SHAPED = {
    **LAYERS,
    "bernoulli_image": lambda: hm.Bernoulli((2, 3, 4), bias_shape=(2, 1, 1)),
    "gaussian_image": lambda: hm.Gaussian((2, 3), bias_shape=(3,), variance_shape=(2, 1), learn_variance=True),
}
kinds = pytest.mark.parametrize("kind", SHAPED)


def layer(kind):
    unit = SHAPED[kind]().double()
    randomise(unit, np.random.default_rng(0))
    return unit


@kinds
@pytest.mark.parametrize("leading", [(), (5,), (2, 3)])
def test_leading_axes(kind, leading):
    unit = layer(kind)
    flat = torch.tensor(np.random.default_rng(1).normal(size=(int(np.prod(leading)), *unit.statistic_shape)))
    input = flat.reshape(*leading, *unit.statistic_shape)
    x = unit.sample(input, generator=torch.Generator().manual_seed(0))
    assert x.shape == (*leading, *unit.shape)
    assert unit.statistic(x).shape == (*leading, *unit.statistic_shape)
    for function in (unit.mean, unit.variance, unit.mode, unit.log_partition):
        rows = torch.stack([function(row) for row in flat])
        close(function(input), rows.reshape((*leading, *rows.shape[1:])), 1e-12)
    energies = torch.stack([unit.energy(row) for row in x.reshape(-1, *unit.shape)])
    close(unit.energy(x), energies.reshape(leading), 1e-12)
    for found in (unit.parameter_gradient(x, input), unit.mean_parameter_gradient(input)):
        assert {name: g.shape for name, g in found.items()} == {name: p.shape for name, p in unit.named_parameters()}


@pytest.mark.parametrize("kind", ["bernoulli_image", "gaussian_image"])
def test_shared_parameters_act_on_every_unit_that_shares_them(kind):
    """A layer with shared biases is the layer of own biases that happen to be equal."""
    unit = layer(kind)
    own = (hm.Bernoulli if kind.startswith("bernoulli") else hm.Gaussian)(unit.shape).double()
    for name, tensor in unit.state_dict().items():
        own.state_dict()[name].copy_(tensor.expand(unit.shape))
    input = torch.tensor(np.random.default_rng(1).normal(size=(4, *unit.shape)))
    close(own.log_partition(input), unit.log_partition(input), 1e-12)
    close(own.mean_parameter_gradient(input)["bias"].sum_to_size(unit.bias.shape), unit.mean_parameter_gradient(input)["bias"], 1e-12)


COUNTS = {
    "bernoulli": 8,
    "softmax": 9,
    "bernoulli_softmax": 12,
    "spin": 8,
    "binomial": 16,
    "stepped": 16,
    "pooled": 9,
    "spin_binomial_pooled": 18,
}


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if not endless(kind)])
def test_each_joint_state_is_listed_once(kind):
    unit = layer(kind)
    states = unit.states(torch.arange(int(unit.count)))
    unit.check(states)
    assert len(torch.unique(states.flatten(1), dim=0)) == unit.count == len(states)
    assert unit.count == COUNTS[kind]


def test_shaped_binary_states_are_listed_once():
    unit = hm.Bernoulli((2, 3))
    states = unit.states(torch.arange(64))
    assert states.shape == (64, 2, 3)
    assert len(torch.unique(states.flatten(1), dim=0)) == 64


@pytest.mark.parametrize("kind", ["gaussian_image", *(kind for kind in LAYERS if endless(kind))])
def test_endless_units_have_no_list_of_states(kind):
    assert layer(kind).count == np.inf
    with pytest.raises(TypeError, match=r"Gaussian|Exponential|Poisson|SteppedSigmoid"):
        layer(kind).states(torch.arange(2))


def test_layers_too_large_for_a_float_still_have_a_count():
    """2^2000 overflows a float; asking a large machine for exact log Z must end in advice, not in an OverflowError."""
    assert hm.Bernoulli(2000).count > 1e300
    assert hm.Groups(hm.Bernoulli(2000), hm.Gaussian(1)).count == np.inf
    for rbm in (hm.RBM(hm.Bernoulli(2000), hm.Bernoulli(1500)), hm.RBM(hm.Softmax(2000, categories=3), hm.Gaussian(3))):
        with pytest.raises(ValueError, match="ais"):
            hm.likelihood.exact_log_z(rbm)


@pytest.mark.parametrize("make", [lambda: hm.Bernoulli(0), lambda: hm.Gaussian((3, 0)), lambda: hm.Groups()])
def test_a_layer_needs_units(make):
    with pytest.raises(ValueError, match=r"one or more|at least one"):
        make()


@pytest.mark.parametrize("variance", [0.0, -1.0, np.inf, np.nan])
def test_a_variance_is_a_positive_number(variance):
    with pytest.raises(ValueError, match="positive"):
        hm.Gaussian(3, variance=variance)

"""Starting biases, base rates, and layers that take means."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import LAYERS, close, endless, kind_of, randomise, samples


@pytest.mark.parametrize("kind", LAYERS)
def test_with_no_input_the_mean_is_that_of_the_data(kind):
    """By Laplace's rule, one imagined case of each value, bounded units miss it by less than one case in all; endless counts by half."""
    unit = LAYERS[kind]().double()
    data = samples(unit, 500, 1)
    unit.init_from(torch.tensor(data))
    close(unit.mean(unit.zero_input(1))[0], data.mean(0), 2 / 500)
    for part, x in zip(unit.layers(), unit.split(torch.tensor(data)), strict=True) if isinstance(unit, hm.Groups) else [(unit, data)]:
        x, mean = np.asarray(x), part.mean(part.zero_input())
        total, cases, kind = x.sum(0), len(x), kind_of(part)
        if kind == "bernoulli":
            close(mean, (total + 1) / (cases + 2), 1e-12)
        elif kind == "softmax":
            close(mean, (total + 1) / (cases + part.categories), 1e-12)
        elif kind == "spin":
            close((mean + 1) / 2, ((total + cases) / 2 + 1) / (cases + 2), 1e-12)
        elif kind in ("binomial", "stepped"):
            close(mean / part.copies, (total + 1) / (part.copies * cases + 2), 1e-9)
        elif kind in ("poisson", "unbounded_stepped"):
            close(mean, (total + 0.5) / cases, 1e-9)
        elif kind == "pooled":
            off = cases - x.reshape(cases, -1, 2).sum((0, 2)).repeat(2)
            close(mean / (1 - mean.reshape(-1, 2).sum(1).repeat_interleave(2)), (total + 1) / (off + 1), 1e-9)
        else:
            close(mean, x.mean(0), 1e-9)
        if kind == "gaussian":
            close(part.variance(part.zero_input()), x.var(0) if part.learn_variance else np.ones(x.shape[1]), 1e-12)


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if not endless(kind)])
@pytest.mark.parametrize("value", [0, 1])
def test_units_that_never_change_get_finite_biases(kind, value):
    unit = LAYERS[kind]()
    unit.init_from(torch.full((10, *unit.shape), float(value)))
    assert all(torch.isfinite(parameter).all() for parameter in unit.parameters())


def test_shared_parameters_start_at_the_pooled_data():
    data = np.random.default_rng(0).normal(2.0, 3.0, (50, 2, 4))
    unit = hm.Gaussian((2, 4), bias_shape=(2, 1), variance_shape=(1, 1), learn_variance=True).double()
    unit.init_from(torch.tensor(data))
    close(unit.bias, data.mean((0, 2))[:, None], 1e-12)
    close(unit.log_variance.exp(), ((data - data.mean((0, 2))[:, None]) ** 2).mean((0, 1, 2), keepdims=True)[0], 1e-12)
    binary = hm.Bernoulli((2, 4), bias_shape=(2, 1)).double()
    ones = (data > 2.5).astype(float)
    binary.init_from(torch.tensor(ones))
    close(torch.sigmoid(binary.bias), (ones.sum((0, 2)) + 1)[:, None] / (200 + 2), 1e-12)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_base_input_gives_the_mean_asked_for(kind):
    unit = LAYERS[kind]().double()
    randomise(unit, np.random.default_rng(1))
    mean = unit.mean(torch.tensor(np.random.default_rng(2).normal(size=unit.statistic_shape))).detach()
    base = unit.base_input(mean)
    assert base.shape == unit.statistic_shape
    assert not base.requires_grad
    close(unit.mean(base), mean, 1e-9)


@pytest.mark.parametrize("kind", LAYERS)
def test_certain_means_give_a_finite_base_input(kind):
    unit = LAYERS[kind]().double()
    mean = torch.tensor(samples(unit, 1, 3)[0])
    base = unit.base_input(mean)
    assert torch.isfinite(base).all()
    close(unit.mean(base), mean, 3e-3)


def test_the_copy_that_takes_means_takes_them():
    means = torch.tensor([[0.2, 0.8]])
    for unit in (hm.Bernoulli(2), hm.Softmax(1, categories=2), hm.Groups(hm.Bernoulli(1), hm.Bernoulli(1))):
        with pytest.raises(ValueError, match=r"0 or 1|one-hot"):
            unit.check(means)
        unit.as_visible_layer().check(means)
    shared = hm.Bernoulli((2, 3), bias_shape=(2, 1)).as_visible_layer()
    assert shared.bias.shape == (2, 1)
    assert hm.Gaussian(3, variance=0.25).as_visible_layer().log_variance.exp()[0].item() == pytest.approx(0.25)

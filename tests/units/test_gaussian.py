"""What learning asks of Gaussian units: starts, bounds, steps without a unit of measurement, and the tutorial's form."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.units.gaussian import from_tutorial_form, to_tutorial_form
from tests.models.machines import close


def tutorial_energy(v, h, b, variance, weight, hidden):
    """Σ (v - b)²/2σ² - Σ (v/σ) W h plus the hidden units' own part, by loops over units."""
    total = hidden(h)
    for i in range(len(b)):
        total += (v[i] - b[i]) ** 2 / (2 * variance[i])
    return total, [v[i] / math.sqrt(variance[i]) * weight[i, j] * h[j] for i in range(len(b)) for j in range(len(h))]


def test_the_tutorials_form_has_the_same_energies():
    draw = np.random.default_rng(0)
    v, h, b, c, variance = draw.normal(size=4), np.array([1.0, 0, 1]), draw.normal(size=4), draw.normal(size=3), draw.uniform(0.1, 9, 4)
    theirs = draw.normal(size=(4, 3))
    rbm = hm.RBM(hm.Gaussian(4, learn_variance=False), hm.Bernoulli(3)).double()
    rbm.visible.bias.data, rbm.hidden.bias.data = torch.tensor(b), torch.tensor(c)
    rbm.visible.log_variance.copy_(torch.tensor(variance).log())
    rbm.coupling.weight.data = from_tutorial_form(torch.tensor(theirs), torch.tensor(variance))
    alone, met = tutorial_energy(v, h, b, variance, theirs, lambda h: -c @ h)
    close(rbm.energy(torch.tensor(v), torch.tensor(h)), alone - sum(met), 1e-12)
    close(to_tutorial_form(rbm.coupling.weight, torch.tensor(variance)), theirs, 1e-12)


def test_the_tutorials_form_with_gaussian_hidden_units():
    """(v/σ_v) W (h/σ_h)."""
    draw = np.random.default_rng(1)
    v, h, theirs = draw.normal(size=3), draw.normal(size=2), draw.normal(size=(3, 2))
    variance, spread = draw.uniform(0.1, 9, 3), draw.uniform(0.1, 9, 2)
    rbm = hm.RBM(hm.Gaussian(3, learn_variance=False), hm.Gaussian(2, learn_variance=False)).double()
    rbm.visible.log_variance.copy_(torch.tensor(variance).log())
    rbm.hidden.log_variance.copy_(torch.tensor(spread).log())
    ours = from_tutorial_form(torch.tensor(theirs), torch.tensor(variance), torch.tensor(spread))
    rbm.coupling.weight.data = ours
    alone, met = tutorial_energy(v, h / np.sqrt(spread), np.zeros(3), variance, theirs, lambda u: u @ u / 2)
    close(rbm.energy(torch.tensor(v), torch.tensor(h)), alone - sum(met), 1e-12)
    close(to_tutorial_form(ours, torch.tensor(variance), torch.tensor(spread)), theirs, 1e-12)
    close(from_tutorial_form(torch.tensor(theirs), 4.0), 2 * theirs, 1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_variances_start_at_the_datas_own_however_they_mix(scale):
    """A unit ten thousand times fainter than the others is no constant; one that hardly ever changes gets a floor, to scale."""
    draw = np.random.default_rng(0)
    data = scale * (draw.normal(size=(2000, 5)) * np.array([10, 10, 10, 0.1, 0.0]) + 7)
    data[0, 4] += 1e-4 * scale
    unit = hm.Gaussian(5, learn_variance=True).double()
    unit.init_from(torch.tensor(data))
    variance = torch.tensor(data.var(0))
    found = unit.log_variance.detach().exp()
    close(found[:4] / variance[:4], np.ones(4), 1e-9)
    floor = 1e-4 * variance.log().mean().exp()
    assert variance[4] < floor
    close(found[4] / floor, 1.0, 1e-9)


def test_constant_data_give_finite_parameters_in_float32():
    for value in (0.0, 3.3, 1e6):
        unit = hm.Gaussian(3, learn_variance=True)
        unit.init_from(torch.full((1000, 3), value))
        assert torch.isfinite(unit.log_variance).all()
        (low, high) = unit.bounds(torch.full((1000, 3), value))["log_variance"]
        assert (low < unit.log_variance).all()
        assert (unit.log_variance < high).all()


def test_weighted_data_count_by_their_weight():
    rows = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, -3.0]]).double()
    weighted, repeated = (hm.Gaussian(2, learn_variance=True, variance_shape=(1,)).double() for _ in range(2))
    weighted.init_from(rows, torch.tensor([1.0, 2, 1]).double())
    repeated.init_from(rows[[0, 1, 1, 2]])
    close(weighted.log_variance, repeated.log_variance.detach(), 1e-12)


def test_bounds_are_a_factor_of_a_thousand_about_the_datas_variance_or_the_one_it_was_made_with():
    draw = np.random.default_rng(0)
    data = draw.normal(size=(50, 2, 3)) * 5 + 2
    unit = hm.Gaussian((2, 3), variance=4.0, variance_shape=(1, 1), learn_variance=True).double()
    low, high = unit.bounds(torch.tensor(data))["log_variance"]
    pooled = np.mean((data - data.mean(0)) ** 2)
    close(torch.stack([low, high]).flatten(), np.log([pooled / 1000, pooled * 1000]), 1e-9)
    low, high = unit.bounds(None)["log_variance"]
    close(torch.stack([low, high]).flatten(), np.log([4 / 1000, 4 * 1000]), 1e-6)
    assert hm.Gaussian(3, learn_variance=False).bounds(None) == {}
    groups = hm.Groups(hm.Bernoulli(2), hm.Gaussian(2, learn_variance=True))
    assert list(groups.bounds(torch.tensor(draw.normal(size=(9, 4))))) == ["parts.1.log_variance"]


def test_the_step_of_a_bias_is_its_natural_gradient_and_that_of_a_variance_is_an_average():
    variance = np.array([0.01, 1.0, 100.0])
    for bias_shape, variance_shape in (((3,), (3,)), ((1,), (3,)), ((3,), (1,))):
        unit = hm.Gaussian(3, bias_shape=bias_shape, variance_shape=variance_shape, learn_variance=True).double()
        spread = variance if variance_shape == (3,) else np.array([4.0])
        unit.log_variance.data = torch.tensor(spread).log()
        unit.bias.grad = torch.full(bias_shape, 2.0).double()
        slope = np.array([0.3, -30, 7.0]) if variance_shape == (3,) else np.array([1.5])
        unit.log_variance.grad = torch.tensor(slope)
        unit.standardise_gradient()
        precision = np.broadcast_to(1 / spread, 3)
        close(unit.bias.grad, 2 / (precision.sum(keepdims=True) if bias_shape == (1,) else precision), 1e-9)
        close(unit.log_variance.grad, slope if variance_shape == (3,) else slope / 3, 1e-12)


def test_a_layer_of_several_kinds_has_a_scale_where_its_parts_do():
    unit = hm.Groups(hm.Bernoulli(2), hm.Gaussian(2, variance=9.0))
    torch.nn.init.constant_(unit.parts[1].bias, 5.0)
    origin, scale = unit.standard()
    close(origin, [0, 0, 5, 5], 1e-6)
    close(scale, [1, 1, 3, 3], 1e-6)
    assert hm.Bernoulli(2).standard() is None
    assert hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=3)).standard() is None


@pytest.mark.parametrize("given", ["a", "1.5", None, math.nan, -1.0, [1.0, 2.0]])
def test_a_variance_that_is_no_positive_number_is_refused(given):
    for kind in (hm.Gaussian, hm.TruncatedGaussian):
        with pytest.raises(ValueError, match=r"the least variance of .* is a number of zero or more, found"):
            kind(3, least_variance=given)
        if given is not None:
            with pytest.raises(ValueError, match=r"the variance of .* must be a positive number, found"):
                kind(3, variance=given)

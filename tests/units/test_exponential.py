"""Exponential units against SciPy, and the boundary beyond which they do not exist."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

import harmonium as hm
from tests.models.machines import close
from tests.units import laws

T = np.array([-1e4, -30.0, -1.0, 0.0, 0.3, 1.9, 2.0 - 2**-10])


def unit(rate=2.0, size=T.size):
    found = hm.Exponential(size, rate=rate).double()
    found.log_rate.data.fill_(math.log(rate))
    return found


def test_moments():
    found, input = unit(), torch.tensor(T)[None]
    rate = 2.0 - T
    close(found.log_partition(input), [-np.log(rate).sum()])
    close(found.mean(input)[0], stats.expon(scale=1 / rate).mean())
    close(found.variance(input)[0], stats.expon(scale=1 / rate).var())
    assert torch.equal(found.mode(input), torch.zeros_like(input))
    x = torch.linspace(0, 5, len(T), dtype=torch.float64)
    close(found.energy(x), 2.0 * x.sum(), 1e-12)


@pytest.mark.parametrize("t", [-3.0, 0.0, 1.2])
def test_the_log_partition_against_quadrature(t):
    found = unit(size=1)
    x = torch.tensor([[0.0], [0.7]], dtype=torch.float64)
    slope = (found.energy(x[1:]) - found.energy(x[:1])).item() / 0.7
    total, first = (integrate.quad(lambda y, n=n: y**n * np.exp(-slope * y + t * y), 0, np.inf)[0] for n in (0, 1))
    close(found.log_partition(torch.tensor([[t]]).double()), [math.log(total)])
    close(found.mean(torch.tensor([[t]]).double()), [[first / total]])


def test_gradients_and_gaps():
    draw = np.random.default_rng(0)
    found = hm.Exponential(3, rate=1.5).double()
    found.log_rate.data += torch.tensor(0.2 * draw.normal(size=3))
    states, input = torch.tensor(draw.exponential(size=(5, 3))), torch.tensor(-draw.exponential(size=(5, 3)) + 0.5)
    laws.gradients_equal_autograd(found, states, input)
    laws.absent_units_do_not_exist(found, states, input)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("known", [False, True])
def test_draws(dtype, known):
    n = 100_000
    totals = [-50.0, -1.0, 0.0, 1.9]
    found = hm.Exponential(4, rate=2.0).to(dtype)
    input = torch.tensor(totals, dtype=dtype).expand(n, -1)
    drawn = found.sample(input, generator=laws.generator(1), mean=found.mean(input) if known else None)
    assert drawn.dtype == dtype
    found.check_states(drawn)
    for column, t in zip(drawn.T.double().numpy(), totals, strict=True):
        law = stats.expon(scale=1 / (2.0 - t))
        assert stats.kstest(column, law.cdf).pvalue > 1e-3
        laws.moments_agree(column, law.mean(), law.var(), 9 * law.var() ** 2)
    assert abs(np.corrcoef(drawn.T.double()) - np.eye(4)).max() < 4 / np.sqrt(n)
    assert torch.equal(drawn, found.sample(input, generator=laws.generator(1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_the_input_is_not_below_the_rate_everything_is_infinite(dtype):
    found = hm.Exponential(4, rate=1.0).to(dtype)
    input = torch.tensor([[0.5, 1.0, 3.0, 1e4]], dtype=dtype)
    draws = found.sample(input, generator=laws.generator())
    for result in (found.mean(input), found.variance(input), found.mode(input), draws):
        assert torch.equal(torch.isposinf(result), torch.tensor([[False, True, True, True]]))
    assert found.log_partition(input).item() == math.inf
    assert torch.isposinf(found.mean_parameter_gradient(input)["log_rate"]).tolist() == [False, True, True, True]
    good = hm.Given(present=torch.tensor([[True, False, False, False]]))
    close(found.log_partition(input, good), [math.log(2.0)])
    found.log_partition(input, good).sum().backward()
    close(found.log_rate.grad, [-2.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes(dtype):
    found = hm.Exponential(2).to(dtype)
    input = torch.tensor([[-1e4, 1 - 1e-4]], dtype=dtype)
    close(found.mean(input), 1 / (1 - input.double().numpy()))
    close(found.log_partition(input), -np.log(1 - input.double().numpy()).sum(1))
    assert torch.isfinite(found.sample(input, generator=laws.generator())).all()


def test_support():
    found = hm.Exponential(2)
    for good in ([[0.0, 3e7]], [[0, 3]], torch.tensor([[3, 255]], dtype=torch.uint8)):
        found.check(torch.as_tensor(good))
        found.check_states(torch.as_tensor(good))
    for bad, message in (
        ([[-1.5, 2]], "Exponential units expect numbers of zero or more, found -1.5"),
        ([[float("nan"), 1.0]], "1 NaN or infinite"),
        ([[1.0]], r"\(\.\.\., 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            found.check(torch.as_tensor(bad))
    for rate in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="rate must be a positive number"):
            hm.Exponential(2, rate=rate)
    copy = hm.Exponential((2, 3), rate=4.0, bias_shape=(2, 1)).as_visible_layer()
    assert copy.log_rate.shape == (2, 1)
    close(copy.log_rate.exp(), np.full((2, 1), 4.0))


def test_starting_rates_and_base_inputs():
    data = torch.tensor([[3.0, 0.0, 1.0], [1.0, 0.0, 2.0]], dtype=torch.float64)
    found = hm.Exponential(3).double()
    found.init_from(data)
    close(found.mean(found.zero_input()), [2.0, 1e-4 * 3.5 / 3, 1.5], 1e-12)
    found.init_from(data, torch.tensor([1.0, 3.0], dtype=torch.float64))
    close(found.mean(found.zero_input())[2], np.array(7 / 4), 1e-12)
    mean = torch.tensor([1.7, 0.0, 300.0], dtype=torch.float64)
    close(found.mean(found.base_input(mean)), [1.7, 1e-3, 300.0], 1e-12)
    for dtype in (torch.float32, torch.float64):
        nothing = hm.Exponential(3).to(dtype)
        nothing.init_from(torch.zeros(5, 3, dtype=dtype))
        assert torch.isfinite(nothing.log_rate).all()
        assert torch.isfinite(nothing.log_rate.exp()).all()


def test_bounds():
    found = hm.Exponential((3, 2), rate=2.0, bias_shape=(3, 1))
    assert found.input_bound().dtype == torch.float64
    close(found.input_bound(), np.full(6, 2.0))
    weights = torch.tensor([[-1.0, 0.0, 2.0], [0.0, 0.0, -9.0], [-2.0, 0.0, 0.0]])
    assert torch.equal(hm.Exponential(3).max_interaction(weights), torch.tensor([0, 0, math.inf]))
    assert found.quadratic() is None
    assert found.count == math.inf
    with pytest.raises(TypeError, match="Exponential units have no finite list"):
        found.states(torch.arange(2))

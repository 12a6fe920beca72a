"""Poisson units against SciPy, at every size of rate."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

import harmonium as hm
from harmonium.units import poisson
from tests.models.machines import close
from tests.units import laws

T = np.array([-30.0, -5.0, -1.0, -0.2, 0.0, 0.3, 2.0, 4.5])


def unit(bias=0.25, size=T.size):
    found = hm.Poisson(size).double()
    found.bias.data.fill_(bias)
    return found


def test_moments_against_enumeration():
    found, input = unit(), torch.tensor(T)[None]
    k = np.arange(400)
    logs = (T + 0.25)[:, None] * k - special.gammaln(k + 1)
    log_z = np.logaddexp.reduce(logs, axis=1)
    p = np.exp(logs - log_z[:, None])
    close(found.log_partition(input), [log_z.sum()])
    close(found.mean(input)[0], p @ k)
    close(found.variance(input)[0], p @ k**2 - (p @ k) ** 2)
    assert (logs[np.arange(len(T)), found.mode(input)[0].long().numpy()] >= logs.max(1) - 1e-9).all()
    single = hm.Poisson(1)
    single.bias.data.fill_(0.25)
    for dtype in (torch.float32, torch.float64):
        close(single.to(dtype).energy(torch.tensor(k, dtype=dtype)[:, None]), special.gammaln(k + 1) - 0.25 * k)


def test_gradients_and_gaps():
    draw = np.random.default_rng(0)
    found = hm.Poisson(3).double()
    found.bias.data = torch.tensor(draw.normal(size=3))
    states, input = torch.tensor(draw.integers(0, 9, (5, 3)).astype(float)), torch.tensor(draw.normal(size=(5, 3)))
    laws.gradients_equal_autograd(found, states, input)
    laws.absent_units_do_not_exist(found, states, input)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rates", [[0.003, 0.3, 1.0, 4.0, 7.0], [9.99, 10.01, 12.0, 25.0, 300.0, 990.0], [1e-4, 2.0, 40.0, 1010.0, 5e3]])
def test_draws(rates, dtype):
    """Across the two rates at which the way of drawing changes, and side by side."""
    found = hm.Poisson(len(rates)).to(dtype)
    drawn = found.sample(torch.tensor(rates, dtype=dtype).log().expand(60_000, -1), generator=laws.generator(1))
    assert drawn.dtype == dtype
    found.check_states(drawn)
    for column, rate in zip(drawn.T, rates, strict=True):
        log_p = stats.poisson(rate).logpmf(np.arange(int(rate + 12 * np.sqrt(rate) + 12)))
        laws.follows(column, log_p)
        laws.moments_agree(column, *laws.from_table(log_p))
    assert abs(np.corrcoef(drawn.T.double()) - np.eye(len(rates))).max() < 4.5 / np.sqrt(60_000)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("t", [-9.0, -0.5, 0.0, 1.25, 2.25])
def test_draws_of_small_rates_invert_the_cumulative_distribution(t, dtype, monkeypatch):
    laws.inverts(hm.Poisson(1).to(dtype), t, stats.poisson(np.exp(t)).logpmf(np.arange(41)), monkeypatch)


@pytest.mark.parametrize("rate", [10.1, 10.9, 17.3, 60.0, 300.5, 999.0, 1000.5, 2e4, 3e6])
def test_the_quantile_of_larger_rates_is_exact_to_a_float32_uniform_number(rate):
    """A normal number just to either side of each step of the cumulative distribution gives the count below it and above it."""
    law, wide = stats.poisson(rate), 5 * np.sqrt(rate)
    k = np.unique(np.linspace(max(rate - wide, 0), rate + wide, 3001).round())
    upper = k > rate
    for side in (-1, 1):
        p = np.where(upper, law.sf(k) - side * 2.0**-24, law.cdf(k) + side * 2.0**-24)
        inside = (p > 1e-6) & (p < 1)
        z = np.where(upper, -special.ndtri(p), special.ndtri(p))[inside]
        drawn = poisson._exact_quantile(torch.full(z.shape, rate, dtype=torch.float64), torch.tensor(z))
        assert (np.sign(drawn.numpy() - k[inside] - 0.5) == side).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rate", [1000.5, 2e4, 3e6])
def test_the_cumulative_distribution_of_large_rates(rate, dtype):
    """The counts, smoothed by a uniform number, pass a Kolmogorov-Smirnov test, and odd ones are as frequent as even ones."""
    n = 200_000
    found = hm.Poisson(1).to(dtype)
    mean = torch.full((n, 1), rate, dtype=dtype)
    drawn = found.sample(mean.log(), generator=laws.generator(3), mean=mean)[:, 0].double().numpy()
    law = stats.poisson(rate)
    u = np.random.default_rng(0).random(n)
    assert stats.kstest(law.cdf(drawn - 1) + u * law.pmf(drawn), "uniform").pvalue > 1e-3
    assert abs((drawn % 2).mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
    laws.moments_agree(drawn, rate, rate, rate * (1 + 3 * rate))


@pytest.mark.parametrize("rate", [1e9, 1e13, 1e25, 3e38])
def test_draws_of_enormous_rates_overflow_nothing(rate):
    n = 20_000
    found, mean = hm.Poisson(1), torch.full((n, 1), rate)
    drawn = found.sample(mean.log(), generator=laws.generator(2), mean=mean).double().numpy()
    rounding = rate * 2.0**-24
    assert np.isfinite(drawn).all()
    assert abs(drawn.mean() - float(mean[0])) <= 4 * np.sqrt(rate / n) + rounding
    assert abs(drawn.std() - np.sqrt(rate)) <= 4 * np.sqrt(rate / 2 / n) + rounding


def test_draws_of_other_devices():
    """By the way that looks at no value, here on a CPU."""
    rates = torch.tensor([0.01, 3.0, 40.0, 990.0, 1200.0, 5e4]).expand(40_000, -1)
    drawn = poisson._on_device(rates, laws.generator())
    for column, rate in zip(drawn.T, rates[0].tolist(), strict=True):
        laws.follows(column, stats.poisson(rate).logpmf(np.arange(int(rate + 12 * np.sqrt(rate) + 12))))
    odd = torch.tensor([0.0, math.inf, math.nan, 3e38])
    close(poisson._on_device(odd[[0, 3]], laws.generator()) / 3e38, [0.0, 1.0])
    for found in (poisson._on_device(odd, laws.generator()), poisson._exact_quantile(odd, torch.zeros(4))):
        assert torch.equal(found[1], odd[1])
        assert torch.isnan(found[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes(dtype):
    found, input = hm.Poisson(4).to(dtype), torch.tensor([[-1e4, -100.0, 20.0, 80.0]], dtype=dtype)
    close(found.log_partition(input) / math.exp(80), [1.0])
    for result in (found.mean(input), found.variance(input), found.mode(input), found.sample(input, generator=laws.generator())):
        close(result[0] / torch.tensor([1, 1, math.exp(20), math.exp(80)]).to(dtype), [0.0, 0.0, 1.0, 1.0], 1e-3)
    beyond = torch.tensor([[1e4, -1.0, 1e4, 0.0]], dtype=dtype)
    for result in (found.mean(beyond), found.mode(beyond), found.sample(beyond, generator=laws.generator())):
        assert torch.equal(torch.isinf(result), beyond > 1)
        assert not torch.isnan(result).any()
    assert found.log_partition(beyond).item() == math.inf


def test_draws_depend_on_the_generator_alone_and_have_the_shape_of_the_input():
    found = hm.Poisson((3, 2), bias_shape=(3, 1))
    input = 3 * torch.randn(4, 5, 3, 2, generator=laws.generator())
    draws = [
        found.sample(input, generator=laws.generator(seed), mean=mean) for seed, mean in ((1, None), (1, found.mean(input)), (2, None))
    ]
    assert draws[0].shape == input.shape
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_support():
    found = hm.Poisson(2)
    for good in ([[0.0, 3e7]], [[0, 3]], [[True, False]], torch.tensor([[3, 255]], dtype=torch.uint8)):
        found.check(torch.as_tensor(good))
    for bad, message in (
        ([[-1, 2]], "Poisson units expect whole numbers, 0 or more, found values from -1 to 2"),
        ([[0.5, 1.0]], 'found 0.5; Poisson.*values="means"'),
        ([[float("nan"), 1.0]], "1 NaN or infinite"),
        ([[1.0]], r"\(\.\.\., 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            found.check(torch.as_tensor(bad))
    means = found.as_visible_layer()
    means.check(torch.tensor([[0.5, 3.0]]))
    with pytest.raises(ValueError, match=r"whole numbers.*found 0.5"):
        means.check_states(torch.tensor([[0.5, 3.0]]))
    with pytest.raises(ValueError, match=r"means, 0 or more, found values from -0.5 to 1"):
        means.check(torch.tensor([[-0.5, 1.0]]))
    assert torch.equal(found.from_data(torch.tensor([[255, 1]], dtype=torch.uint8), torch.empty(0)), torch.tensor([[255.0, 1.0]]))
    assert found.arguments() == {"shape": (2,), "bias_shape": (2,), "values": "counts"}


def test_starting_biases_and_base_inputs():
    data = torch.tensor([[3.0, 0.0, 1.0], [30.0, 0.0, 2.0]], dtype=torch.float64)
    found = hm.Poisson(3).double()
    found.init_from(data)
    close(found.mean(found.zero_input()), [33.5 / 2, 0.5 / 2, 3.5 / 2], 1e-12)
    found.init_from(data, torch.tensor([1.0, 3.0], dtype=torch.float64))
    close(found.mean(found.zero_input())[2], np.array(7.5 / 4), 1e-12)
    mean = torch.tensor([1.7, 0.0, 300.0], dtype=torch.float64)
    close(found.mean(found.base_input(mean)), [1.7, 1e-3, 300.0], 1e-12)


def test_bounds():
    found = hm.Poisson(3)
    assert torch.equal(
        found.max_interaction(torch.tensor([[-1.0, 0.0, 2.0], [0.0, 0.0, -9.0], [-2.0, 0.0, 0.0]])), torch.tensor([0, 0, math.inf])
    )
    assert found.input_bound().tolist() == [math.inf] * 3
    assert found.input_bound().dtype == torch.float64
    assert found.quadratic() is None
    assert found.count == math.inf
    with pytest.raises(TypeError, match="Poisson units have no finite list"):
        found.states(torch.arange(2))


def test_binomial_units_of_many_copies_come_near():
    """n copies with the bias log(λ / n) have the mean and variance of a rate λ to within λ²/n."""
    many, counts = hm.Binomial(1, copies=10**6).double(), hm.Poisson(1).double()
    input = torch.tensor([[math.log(3.0)]], dtype=torch.float64)
    shifted = input - math.log(10**6)
    for name in ("mean", "variance", "log_partition"):
        close(getattr(many, name)(shifted), getattr(counts, name)(input), 1e-5)

"""Truncated Gaussian units against SciPy, from far below zero to far above."""

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

import harmonium as hm
from harmonium.units import Given
from tests.models.machines import close

PLACES = np.array([-1e4, -100.0, -40.0, -20.1, -19.9, -9.0, -7.0, -5.6, -5.4, -1.0, 0.0, 0.3, 4.0, 12.0, 30.0, 1e4])


def unit(bias=0.4, variance=1.7, size=1, learn=False):
    found = hm.TruncatedGaussian(size, variance=variance, learn_variance=learn).double()
    found.bias.data.fill_(bias)
    return found


def moments(m, σ):
    """Mean and variance from the inverse Mills ratio with ten-term corrections far below zero, where SciPy's own cancel."""
    z = m / σ
    if z < -15:  # E[x^k] by quadrature of exp(-a x - x²/2)
        norms = [integrate.quad(lambda x, k=k: x**k * np.exp(-x - x * x / (2 * z * z)), 0, 60)[0] for k in range(3)]
        first, second = norms[1] / norms[0] / -z, norms[2] / norms[0] / z**2
        return σ * first, σ**2 * (second - first**2)
    law = stats.truncnorm(-z, np.inf, loc=m, scale=σ)
    return law.mean(), law.var()


@pytest.mark.parametrize(("dtype", "precision"), [(torch.float32, 2e-6), (torch.float64, 3e-8)])
def test_moments_keep_their_relative_precision(dtype, precision):
    found = unit(size=len(PLACES)).to(dtype)
    b, σ = found.bias[0].item(), found.log_variance.double().exp()[0].sqrt().item()
    input = torch.tensor(PLACES * σ - b, dtype=dtype)
    expected = np.array([moments(x + b, σ) for x in input.double().tolist()])
    mean, variance = found.mean(input).detach().double().numpy(), found.variance(input).detach().double().numpy()
    np.testing.assert_allclose(mean, expected[:, 0], rtol=precision)
    np.testing.assert_allclose(variance, expected[:, 1], rtol=precision)
    assert found.mean(input).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_log_partition(dtype):
    """log(σ √2π Φ(z)) + (b t + t²/2) / σ², worked out by SciPy in float64."""
    found = hm.TruncatedGaussian(1, variance=1.7).to(dtype)
    found.bias.data.fill_(0.375)
    variance = found.log_variance.double().exp().item()
    input = torch.tensor(np.r_[PLACES, np.linspace(-100, 30, 300)], dtype=dtype)
    t = input.double().numpy()
    z = (t + 0.375) / np.sqrt(variance)
    # log Φ(z) + z²/2, whose halves cancel far below zero
    scaled = np.where(z < 0, np.log(special.erfcx(-z / np.sqrt(2)) / 2), special.log_ndtr(z) + z**2 / 2)
    close(found.log_partition(input[:, None]), 0.5 * np.log(2 * np.pi * variance) + scaled - 0.375**2 / (2 * variance))


def test_the_log_partition_against_quadrature():
    found = unit(bias=-0.7, variance=0.6)
    for t in (-9.0, -2.0, 0.0, 1.5):
        area = integrate.quad(lambda x, t=t: np.exp(-((x + 0.7) ** 2) / 1.2 + x * t / 0.6), 0, 20, epsabs=1e-13)[0]
        close(found.log_partition(torch.tensor([t], dtype=torch.float64)), np.log(area), 1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_both_parameters_by_finite_differences(dtype):
    """Of -log_partition, in float64; the float32 gradient is the same to its precision."""
    for t in (-30.0, -8.0, -1.0, 0.5, 9.0):

        def log_partition(bias, log_variance, t=t):
            other = hm.TruncatedGaussian(1, learn_variance=True).double()
            other.bias.data.fill_(bias)
            other.log_variance.data.fill_(log_variance)
            return other.log_partition(torch.tensor([t], dtype=torch.float64)).item()

        found = hm.TruncatedGaussian(1, learn_variance=True).to(dtype)
        found.bias.data.fill_(0.3)
        found.log_variance.data.fill_(0.2)
        gradient = found.mean_parameter_gradient(torch.tensor([[t]], dtype=dtype))
        assert list(gradient) == ["bias", "log_variance"]
        step = 1e-5
        slope = (log_partition(0.3 + step, 0.2) - log_partition(0.3 - step, 0.2)) / (2 * step)
        close(gradient["bias"], [-slope], 1e-5)
        slope = (log_partition(0.3, 0.2 + step) - log_partition(0.3, 0.2 - step)) / (2 * step)
        close(gradient["log_variance"], [-slope], 1e-5)


@pytest.mark.parametrize("size", [-1e4, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_autograd_of_the_log_partition_is_the_closed_form(size, dtype):
    found = unit(size=3, learn=True).to(dtype)
    for scale in (1.0, 1e-3, 1e-4):
        input = torch.tensor([[0.6, 0.8, 1.0]], dtype=dtype) * size * scale
        slopes = torch.autograd.grad(-found.log_partition(input).sum(), [found.bias, found.log_variance])
        for slope, gradient in zip(slopes, found.mean_parameter_gradient(input).values(), strict=True):
            assert torch.isfinite(slope).all()
            close(gradient, slope.double().numpy(), 1e-5 if dtype == torch.float64 else 1e-3)


@pytest.mark.parametrize("z", [-1e4, -30.0, -5.6, -5.4, -2.0, 0.0, 3.0, 30.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_have_the_distribution(z, dtype):
    """By Kolmogorov and Smirnov: the survival function of the samples is uniform."""
    found = hm.TruncatedGaussian(1, variance=4.0).to(dtype)
    input = torch.full((40000, 1), 2 * z, dtype=dtype)
    x = found.sample(input, generator=torch.Generator().manual_seed(1)).double().numpy()[:, 0] / 2
    assert (x >= 0).all()
    if z < 0:  # P(X > x) = Q(x - z) / Q(-z)
        survival = special.erfcx((x - z) / np.sqrt(2)) / special.erfcx(-z / np.sqrt(2)) * np.exp(-x * (x / 2 - z))
    else:
        survival = special.ndtr(z - x) / special.ndtr(z)
    assert stats.kstest(survival, "uniform").pvalue > 1e-3
    mean, variance = moments(z, 1.0)
    assert abs(x.mean() - mean) < 4 * np.sqrt(variance / len(x))


@pytest.mark.parametrize("z", [-300.0, -9.0, -5.6, -5.4, -3.0, 0.0, 2.0])
def test_samples_invert_the_distribution_to_the_uniforms_resolution(z):
    found, input = hm.TruncatedGaussian(1), torch.full((20000, 1), z)
    x = found.sample(input, generator=torch.Generator().manual_seed(2)).double().numpy()[:, 0]
    u = 1 - hm.units.uniform.uniform((20000, 1), input, torch.Generator().manual_seed(2)).double().numpy()[:, 0]
    survival = special.erfcx((x - z) / np.sqrt(2)) / special.erfcx(-z / np.sqrt(2)) * np.exp(-x * (x / 2 - z))
    assert np.abs(survival - u).max() < 4e-7


def test_layers_on_both_sides_of_zero_and_any_memory_layout():
    found = hm.TruncatedGaussian((3, 40))
    input = 8 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).T
    for function in (found.mean, found.variance, lambda x: found.log_partition(x)):
        close(function(input), function(input.contiguous()).detach().numpy(), 1e-6)
    low, high = found.mean(input - 30), found.mean(input + 30)
    close(found.mean(torch.stack([input - 30, input + 30])), torch.stack([low, high]).detach().numpy(), 1e-6)
    wide = found.sample(input.expand(2000, 3, 40), generator=torch.Generator().manual_seed(1))
    error = 5 * torch.sqrt(found.variance(input) / 2000)
    assert (torch.abs(wide.mean(0) - found.mean(input)) < error + 1e-7).all()


def test_absent_units_count_for_nothing():
    found = unit(size=3, learn=True)
    input = torch.tensor([[0.5, np.nan, -1.0]], dtype=torch.float64)
    states, given = torch.tensor([[0.5, np.nan, 1.0]], dtype=torch.float64), Given(present=torch.tensor([[True, False, True]]))
    small, kept = unit(size=2, learn=True), [0, 2]
    close(found.log_partition(input, given), small.log_partition(input[:, kept]).detach().numpy(), 1e-12)
    close(found.energy(states, given), small.energy(states[:, kept]).detach().numpy(), 1e-12)
    draw = found.sample(input, generator=torch.Generator().manual_seed(0), given=given)
    for value in (found.mean(input, given), found.variance(input, given), found.mode(input, given), found.statistic(states, given), draw):
        assert torch.isfinite(value).all()
        assert value[0, 1] == 0
    for gradients, others in (
        (found.parameter_gradient(states, input, None, given), small.parameter_gradient(states[:, kept], input[:, kept])),
        (found.mean_parameter_gradient(input, None, given), small.mean_parameter_gradient(input[:, kept])),
    ):
        for name, gradient in gradients.items():
            close(gradient[kept], others[name].detach().numpy(), 1e-12)
            assert gradient[1] == 0


@pytest.mark.parametrize("learn", [False, True])
def test_the_starting_mean_is_that_of_the_data(learn):
    """With a learnt variance the spread too, where a truncated Gaussian can have both."""
    draw = np.random.default_rng(0)
    data = stats.truncnorm(-0.5, np.inf, loc=1.0, scale=2.0).rvs((4000, 3), random_state=draw) * [1.0, 0.1, 10.0]
    found = hm.TruncatedGaussian(3, learn_variance=learn).double()
    found.init_from(torch.tensor(data))
    close(found.mean(found.zero_input()).detach().numpy() / data.mean(0), np.ones(3), 1e-9)
    if learn:
        close(found.variance(found.zero_input()).detach().numpy() / data.var(0), np.ones(3), 2e-2)
    weights = torch.tensor([2.0, 0.0] * 2000, dtype=torch.float64)
    found.init_from(torch.tensor(data), weights)
    close(found.mean(found.zero_input()).detach().numpy() / data[::2].mean(0), np.ones(3), 1e-9)


def test_starting_biases_are_finite_whatever_the_data():
    draw = np.random.default_rng(1)
    heavy = draw.exponential(size=(100, 2)) ** 3  # more spread than any truncated Gaussian of that mean
    for data in (np.zeros((100, 2)), heavy, np.full((100, 2), 3.0), 1e6 + draw.random((100, 2))):
        for learn in (False, True):
            found = hm.TruncatedGaussian(2, learn_variance=learn)
            found.init_from(torch.tensor(data))
            assert torch.isfinite(found.bias).all()
            assert torch.isfinite(found.log_variance).all()
            if data is heavy:
                close(found.mean(found.zero_input()), data.mean(0), 1e-4)


def test_shared_parameters_start_at_the_pooled_mean():
    data = np.abs(np.random.default_rng(0).normal(2.0, 1.0, (500, 2, 4)))
    found = hm.TruncatedGaussian((2, 4), bias_shape=(2, 1), variance_shape=(1, 1), learn_variance=True).double()
    found.init_from(torch.tensor(data))
    close(found.mean(found.zero_input()), np.repeat(data.mean((0, 2))[:, None], 4, 1), 1e-6)


def test_the_base_input_gives_the_mean():
    found = unit(size=4)
    mean = torch.tensor([0.01, 0.5, 3.0, 400.0], dtype=torch.float64)
    close(found.mean(found.base_input(mean)), mean.numpy(), 1e-9)
    assert torch.isfinite(found.base_input(torch.zeros(4, dtype=torch.float64))).all()


def test_only_finite_numbers_of_zero_or_more_are_taken():
    found = hm.TruncatedGaussian(2)
    found.check(torch.tensor([[0.0, 1e30]]))
    for states, message in (([[0.0, -0.5]], "zero or more, found -0.5"), ([[0.0, np.nan]], "finite"), ([[0.0]], r"\(\.\.\., 2\)")):
        with pytest.raises(ValueError, match=message):
            found.check(torch.tensor(states))
    with pytest.raises(ValueError, match="positive"):
        hm.TruncatedGaussian(2, variance=0.0)
    with pytest.raises(ValueError, match="input"):
        hm.TruncatedGaussian(2, learn_variance=True).parameter_gradient(torch.zeros(1, 2), None)


def test_what_it_says_of_its_bounds():
    found = hm.TruncatedGaussian(3, variance=4.0, variance_shape=(1,))
    scale, one_sided = found.quadratic()
    close(scale, np.full(3, 2.0), 1e-6)
    assert one_sided.all()
    weights = torch.tensor([[-1.0, -1.0, 0.0], [-2.0, 0.1, 0.0], [0.0, -1.0, 0.0]])
    assert found.max_interaction(weights).tolist() == [0.0, np.inf, 0.0]
    assert found.count == np.inf


def test_a_rectified_machine_is_saved_with_all_it_has(tmp_path):
    rbm = hm.RBM(hm.Gaussian(2), hm.TruncatedGaussian((3,), variance=2.0, bias_shape=(1,), learn_variance=True))
    rbm.hidden.bias.data.fill_(0.3)
    hm.save(rbm, tmp_path / "model")
    v = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(hm.load(tmp_path / "model").free_energy(v), rbm.free_energy(v))

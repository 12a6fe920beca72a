"""From binary units to rectified ones: means and variances of samples against sums, quadrature and scipy's own distributions."""

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from tests.gallery.scripts import run


def test_from_binary_to_rectified() -> None:
    found = run("plot_13_from_binary_to_rectified")
    assert found["figures"] == ["from_binary_to_rectified", "rectified_against_copies"]

    x = found["x"].double().numpy()
    copies = special.expit(x[:, None] - np.arange(1, 60) + 0.5)
    on, deviation = special.expit(x), np.sqrt(special.expit(x))
    noisy = [max_moments(mean, spread) for mean, spread in zip(x, deviation, strict=True)]
    expected = {
        "binary": (on, on * (1 - on)),
        "10 equal copies": (10 * on, 10 * on * (1 - on)),
        "offset copies": (copies.sum(1), (copies * (1 - copies)).sum(1)),
        "noisy rectified linear": tuple(np.array(noisy).T),
        "truncated Gaussian": stats.truncnorm.stats(-x, np.inf, loc=x, moments="mv"),
    }
    for name, (mean, variance) in expected.items():
        drawn = found["samples"][name].double().numpy()
        assert drawn.shape == (2000, 81), name
        np.testing.assert_allclose(found["means"][name], mean, rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(found["variances"][name], variance, rtol=1e-3, atol=1e-5, err_msg=name)
        assert (np.abs(drawn.mean(0) - mean) <= 5 * np.sqrt(variance / 2000) + 1 / 200).all(), name
        error = np.sqrt((((drawn - drawn.mean(0)) ** 2).var(0) + 1e-4) / 2000)
        assert (np.abs(drawn.var(0) - variance) <= 5 * error).all(), name

    wide = np.linspace(-10, 10, 401)
    copies = special.expit(wide[:, None] - np.arange(1, 60) + 0.5)
    gaps = np.abs(copies.sum(1) - np.logaddexp(0, wide))
    assert found["gap"] == pytest.approx(gaps.max(), abs=1e-8) == pytest.approx(0.0106, abs=5e-5)
    assert wide[gaps.argmax()] == pytest.approx(0)
    gaps = np.abs((copies * (1 - copies)).sum(1) - special.expit(wide))
    assert found["variance_gap"] == pytest.approx(gaps.max(), abs=1e-8) == pytest.approx(0.0041, abs=5e-5)
    assert found["noisy_at_zero"] == pytest.approx(max_moments(0, math.sqrt(0.5))[0], abs=1e-8) == pytest.approx(0.28, abs=5e-3)
    assert found["line_at_zero"] == pytest.approx(math.log(2))
    assert (found["noisy_gap"], found["noisy_worst"]) == (pytest.approx(0.42, abs=5e-3), pytest.approx(-0.2))
    assert found["noisy_gap_far"] == pytest.approx(0.046, abs=5e-4)
    assert found["curves"]["truncated Gaussian"][200].item() == pytest.approx(math.sqrt(2 / math.pi))


def max_moments(mean: float, spread: float) -> tuple[float, float]:
    """The mean and variance of max(0, N(mean, spread²)), by quadrature."""
    low, high = max(0.0, mean - 12 * spread), max(mean, 0.0) + 12 * spread
    first, second = (integrate.quad(lambda y, n=n: y**n * stats.norm.pdf(y, mean, spread), low, high, epsabs=1e-12)[0] for n in (1, 2))
    return first, second - first**2

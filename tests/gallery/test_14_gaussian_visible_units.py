"""Why variances are hard to learn: both effects, and what each machine loses, against sums over hidden states written out here."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, special

from tests.gallery.scripts import run

PIXELS, NOISE = 8, 0.05


def offset_softplus(t: np.ndarray, weight: float, units: int) -> np.ndarray:
    """Σ log(1 + exp(...)) over units whose thresholds lie weight² apart, of inputs weight · t."""
    steps = weight**2 * (np.arange(units) + 0.5)
    return np.logaddexp(0, weight * t[..., None] - steps).sum(-1)


def log_density(v: np.ndarray, sigma: float, weight: float, units: int) -> np.ndarray:
    """log p(v) of a machine whose hidden units hear `weight` times t = Σ v / (σ √8), the patch along the diagonal in units of σ.

    Z by quadrature along the diagonal; the other seven directions are Gaussian.
    """
    t = v.sum(-1) / (math.sqrt(PIXELS) * sigma)
    across = (v**2).sum(-1) / (2 * sigma**2) - t**2 / 2
    end = math.sqrt(PIXELS) / sigma
    places = np.linspace(-12, end + 12, 40001)
    height = integrate.trapezoid(np.exp(offset_softplus(places, weight, units) - places**2 / 2), places)
    log_z = math.log(height) + (PIXELS - 1) / 2 * math.log(2 * math.pi) + PIXELS * math.log(sigma)
    return offset_softplus(t, weight, units) - t**2 / 2 - across - log_z


def test_gaussian_visible_units() -> None:
    found = run("plot_14_gaussian_visible_units")
    assert found["figures"] == ["gaussian_visible_units"]
    sigmas = found["sigmas"].numpy()
    np.testing.assert_allclose(found["bottom_up"], 1 / sigmas, rtol=1e-6)
    np.testing.assert_allclose(found["top_down"], sigmas, rtol=1e-6)

    # The true density: an integral over greys, for a few patches.
    patches = found["patches"].numpy()
    for patch, claimed in zip(patches[:5], found["true_log_density"](found["patches"][:5]).numpy(), strict=True):
        middle = patch.mean()
        value = integrate.quad(
            lambda grey, patch=patch: math.exp(-((patch - grey) ** 2).sum() / (2 * NOISE**2)), 0, 1, points=[np.clip(middle, 0, 1)]
        )[0]
        assert claimed == pytest.approx(math.log(value) - PIXELS / 2 * math.log(2 * math.pi * NOISE**2), abs=1e-6)

    # What each machine loses, at every fourth σ.
    best = found["true_log_density"](found["patches"]).mean().item()
    for place in range(0, len(sigmas), 4):
        sigma = sigmas[place]
        for units in (1, 3, 10):
            own = log_density(patches, sigma, math.sqrt(PIXELS) / (units * sigma), units).mean()
            assert found["lost"][f"{units} binary"][place] == pytest.approx(best - own, abs=1e-4)
        own = log_density(patches, sigma, 1.0, round(math.sqrt(PIXELS) / sigma)).mean()
        assert found["lost"]["1 stepped sigmoid"][place] == pytest.approx(best - own, abs=1e-4)

    # The claim: few binary units want σ large, more of them less so, and the rectified unit alone wants the data's own.
    wanted = {name: sigma for name, (sigma, _) in found["tightest"].items()}
    assert wanted["1 binary"] > 2 * wanted["3 binary"] > 3 * wanted["10 binary"] > 3 * NOISE
    assert abs(math.log(wanted["1 stepped sigmoid"] / NOISE)) < 0.1
    near = int(np.abs(np.log(sigmas / NOISE)).argmin())
    assert found["lost"]["1 binary"][near] > 100 > 10 > found["lost"]["10 binary"][near] > 0.3
    assert 0 < found["lost"]["1 stepped sigmoid"][near] < 0.02

    # The same weights at every σ, and the units that come on: a sum of logistic functions.
    for sigma, on, reach in zip(sigmas, found["come_on"], found["reach"], strict=True):
        copies = round(math.sqrt(PIXELS) / sigma)
        assert on == pytest.approx(special.expit(math.sqrt(PIXELS) / sigma - np.arange(copies) - 0.5).sum(), abs=1e-5)
        assert reach == pytest.approx(sigma * on / math.sqrt(PIXELS), abs=1e-5)
    assert found["come_on"][0] > 20 * found["come_on"][-1]
    assert min(found["reach"]) > 0.85


def test_one_binary_unit_is_a_mixture_of_two_greys() -> None:
    """By enumeration: log p of few binary units is that of the mixture over hidden states."""
    found = run("plot_14_gaussian_visible_units")
    v = found["patches"][:20].numpy()
    for units in (1, 3):
        sigma, weight = 0.1, 1 / (units * 0.1)
        terms = []
        for h in itertools.product((0, 1), repeat=units):
            mean = sigma * weight * sum(h)
            prior = sum(-PIXELS * weight**2 * (k + 0.5) * on for k, on in enumerate(h)) + PIXELS * mean**2 / (2 * sigma**2)
            terms.append((prior, prior - ((v - mean) ** 2).sum(1) / (2 * sigma**2)))
        log_z = special.logsumexp([prior for prior, _ in terms]) + PIXELS / 2 * math.log(2 * math.pi * sigma**2)
        own = special.logsumexp([each for _, each in terms], axis=0) - log_z
        rbm = found["binary"](units, sigma)
        np.testing.assert_allclose(found["log_density"](rbm, found["patches"][:20]).numpy(), own, rtol=1e-5, atol=1e-4)

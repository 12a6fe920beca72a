"""The gallery's scripts run, and what they print and say is so."""

import math

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy import integrate, special, stats

from harmonium.report import _style
from tests.gallery.scripts import GALLERY, run

SIZES, SMALL = "SIDE, HIDDEN, EPOCHS, TRAIN, TEST", "5, 30, 10, 6000, 60"


def test_from_binary_to_rectified() -> None:
    found = run("plot_from_binary_to_rectified")
    assert found["figures"] == ["from_binary_to_rectified", "rectified_against_copies", "scale_equivariance"]

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
    assert found["departure"]["rectified, no bias"] < 1e-6
    assert min(value for name, value in found["departure"].items() if name != "rectified, no bias") > 0.3


def max_moments(mean: float, spread: float) -> tuple[float, float]:
    """The mean and variance of max(0, N(mean, spread²)), by quadrature."""
    low, high = max(0.0, mean - 12 * spread), max(mean, 0.0) + 12 * spread
    first, second = (integrate.quad(lambda y, n=n: y**n * stats.norm.pdf(y, mean, spread), low, high, epsabs=1e-12)[0] for n in (1, 2))
    return first, second - first**2


@pytest.mark.parametrize("own", [True, False], ids=["what HARMONIUM_DATA has", "what scikit-learn brings"])
def test_logistic_against_gaussian(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not own:
        monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    found = run("plot_logistic_against_gaussian", **{SIZES: SMALL})
    assert found["figures"] == ["logistic_against_gaussian"]

    # The ceiling is one for every pixel of every patch, and on the grey scenes the Gaussian machine is above it.
    assert (found["true"]["logistic"] <= found["ceiling"] + 0.02).all()
    assert found["nats_between"]["logistic"] < found["ceiling_between"]
    assert found["nats_between"]["logistic"] + 0.1 < found["nats_between"]["Gaussian"]
    if len(found["scenes"]) > 2:
        assert found["ceiling_between"] + 0.2 < found["nats_between"]["Gaussian"]
        assert found["nats"]["logistic"] + 0.4 < found["nats"]["Gaussian"]
    assert found["draw_errors"]["logistic"] > 1.8 * found["draw_errors"]["Gaussian"]

    # The conditional densities against those of a free energy written out here.
    for name, rbm in found["machines"].items():
        weight, hidden = rbm.coupling.weight.detach().double().numpy(), rbm.hidden.bias.detach().double().numpy()
        bias, v = rbm.visible.bias.detach().double().numpy(), found["test"][3].double().numpy()
        variance = math.exp(rbm.visible.log_variance.item()) if name == "Gaussian" else 1.0

        def log_p(value: float, own: int = 7, name: str = name, weight=weight, hidden=hidden, bias=bias, v=v, variance=variance) -> float:
            states = v.copy()
            states[own] = value
            quadratic = -(((states - bias) ** 2).sum()) / (2 * variance) if name == "Gaussian" else states @ bias
            return quadratic + np.logaddexp(0, hidden + (states / variance) @ weight).sum()

        shift = log_p(v[7])
        ends = (-0.5, 1.5) if name == "Gaussian" else (0, 1)
        total = integrate.quad(lambda value, shift=shift, log_p=log_p: math.exp(log_p(value) - shift), *ends)[0]
        assert found["true"][name][3, 7].item() == pytest.approx(-math.log(total), abs=5e-3)
        if name == "logistic":
            curve = np.array([log_p(value) for value in np.linspace(0, 1, 21)])
            assert (np.diff(curve, 2) > -1e-9).all()  # log-convex


def test_the_gallery_looks_like_the_report() -> None:
    look = matplotlib.rc_params_from_file(GALLERY / "harmonium.mplstyle", use_default_template=False)
    assert look["figure.dpi"] == _style.DPI
    assert tuple(to_hex(colour) for colour in look["axes.prop_cycle"].by_key()["color"]) == tuple(c.lower() for c in _style.LINES)
    for key, colour in (("grid.color", _style.HAIR), ("axes.labelcolor", _style.INK), ("xtick.labelcolor", _style.MUTED)):
        assert to_hex(str(look[key])) == colour

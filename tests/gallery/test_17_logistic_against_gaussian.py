"""Logistic units against Gaussian ones on patches of photographs: the ceiling, and conditional densities by quadrature."""

import math

import numpy as np
import pytest
from scipy import integrate

from tests.gallery.scripts import run


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_logistic_against_gaussian() -> None:
    found = run("plot_17_logistic_against_gaussian")
    assert found["figures"] == ["logistic_against_gaussian"]

    # The ceiling is one for every pixel of every patch, and between black and white the Gaussian machine is above it.
    assert (found["true"]["logistic"] <= found["ceiling"] + 0.02).all()
    assert found["nats_between"]["logistic"] < found["ceiling_between"]
    assert found["ceiling_between"] + 0.2 < found["nats_between"]["Gaussian"]
    assert found["nats"]["logistic"] + 0.3 < found["nats"]["Gaussian"]
    assert found["nats_ends"]["logistic"] > found["nats_ends"]["Gaussian"] - 0.25
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

"""Mixtures, products and compositions: sharpness, the least that a mixture misses, and the bound of two RBMs, in NumPy."""

import math

import numpy as np
import pytest
from scipy import optimize

import harmonium as hm
from tests.gallery.scripts import run


def binary(units: int) -> np.ndarray:
    """All states, (states, units)."""
    return ((np.arange(2**units)[:, None] >> np.arange(units)) & 1).astype(float)


def entropy(p: np.ndarray) -> float:
    return float(-(p * np.log(p)).sum())


def free_energies(rbm: hm.RBM, v: np.ndarray) -> np.ndarray:
    weight, b, c = (x.detach().double().numpy() for x in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))
    return -v @ b - np.logaddexp(0, c + v @ weight).sum(1)


def log_p(rbm: hm.RBM, v: np.ndarray) -> np.ndarray:
    return -free_energies(rbm, v) - np.logaddexp.reduce(-free_energies(rbm, binary(v.shape[1])))


def layers(states: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Each layer's log-probability of each state: (states, layers), of biases (layers, units)."""
    return states @ biases.T - np.logaddexp(0, biases).sum(1)


def test_what_the_page_says() -> None:
    found = run("plot_06_experts")
    assert found["figures"] == ["experts"]

    # Sharpness.
    x = np.linspace(-5, 5, 81)
    each = np.exp(-((x[:, None] - [-1, 1]) ** 2) / 4)
    each /= each.sum(0)
    product = each.prod(1) / each.prod(1).sum()
    expected = {"expert 1": each[:, 0], "expert 2": each[:, 1], "mixture": each.mean(1), "product": product}
    for name, p in expected.items():
        np.testing.assert_allclose(found["curves"][name], p, atol=1e-12, err_msg=name)
        assert found["entropy"][name] == pytest.approx(entropy(p), abs=1e-10)
    ours = {name: (found["entropy"][name], found["curves"][name].max().item()) for name in expected}
    assert ours["mixture"][0] >= (ours["expert 1"][0] + ours["expert 2"][0]) / 2
    assert ours["mixture"][1] <= max(ours["expert 1"][1], ours["expert 2"][1])
    assert ours["product"][0] < ours["expert 1"][0] - 0.3
    assert ours["product"][1] > 1.4 * ours["expert 1"][1]

    # The number of experts.
    for experts, nats in found["missing"]["mixture"].items():
        assert nats >= math.log(16 / experts) - 1e-9, experts
        assert nats == pytest.approx(math.log(16 / experts), abs=0.15 if experts == 8 else 1e-3), experts
    for experts, nats in found["missing"]["product"].items():
        assert -1e-9 <= nats <= (4 - experts) * math.log(2) + 1e-3, experts
    pictures = np.repeat(binary(4), 2, axis=1)
    mixture, rbm = found["mixture"], found["rbm"]
    product_of_units = hm.ProductOfExperts([rbm])
    biases, logits = np.array([expert.bias.tolist() for expert in mixture.experts]), mixture.logits.detach().numpy()
    values = np.logaddexp.reduce(layers(pictures, biases) + logits - np.logaddexp.reduce(logits), axis=1)
    np.testing.assert_allclose(mixture.log_probability(found["pictures"]).detach(), values, atol=1e-9)
    np.testing.assert_allclose(product_of_units.log_probability(found["pictures"]).detach(), log_p(rbm, pictures), atol=1e-9)

    # Composition: one RBM, then the net's bound and log p, by sums over all hidden states.
    bars, frequency = found["bars"].numpy(), found["frequency"].numpy()
    data = frequency @ np.log(frequency)
    first, top = found["first"], found["dbn"].top
    h = binary(6)
    weight, b, c = (x.detach().numpy() for x in (first.coupling.weight, first.visible.bias, first.hidden.bias))
    before, after = found["short"]
    assert before == pytest.approx([data - frequency @ log_p(first, bars)] * 2, abs=1e-8)
    q = np.exp(np.array([layers(h, (c + v @ weight)[None])[:, 0] for v in bars]))
    given = np.array([layers(bars, (b + weight @ state)[None])[:, 0] for state in h]).T
    joint = given + log_p(top, h)
    bound, whole = (q * (joint - np.log(q))).sum(1), np.logaddexp.reduce(joint, axis=1)
    assert after == pytest.approx([data - frequency @ bound, data - frequency @ whole], abs=1e-8)
    assert after[1] <= after[0] < before[0] - 0.2
    assert before[0] - after[0] > 0.5 * (before[1] - after[1])


def test_no_mixture_of_few_layers_does_better() -> None:
    """Minimised anew, by SciPy, from many starts: never below log(16 / k)."""
    pictures, draw = np.repeat(binary(4), 2, axis=1), np.random.default_rng(0)
    for experts in (2, 3):

        def missing(theta: np.ndarray, experts: int = experts) -> float:
            logits, biases = theta[:experts], theta[experts:].reshape(experts, 8)
            values = np.logaddexp.reduce(layers(pictures, biases) + logits - np.logaddexp.reduce(logits), axis=1)
            return float(-math.log(16) - values.mean())

        best = min(optimize.minimize(missing, 2 * draw.normal(size=9 * experts), method="L-BFGS-B").fun for _ in range(6))
        assert best >= math.log(16 / experts) - 1e-9
        assert best <= 3 * math.log(2) + 1e-3

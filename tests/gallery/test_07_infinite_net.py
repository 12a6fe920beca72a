"""The infinite net: depth, the telescoping derivative and the complementary prior against enumeration in NumPy."""

import numpy as np
import pytest

from tests import oracle
from tests.gallery.scripts import run
from tests.models.machines import plain


@pytest.fixture(scope="module")
def found():
    return run("plot_07_infinite_net")


def kernel(rbm):
    """The visible and hidden states in the library's order, p(h | v) and p(v | h)."""
    order = [np.array([[n >> k & 1 for k in range(units)] for n in range(2**units)], dtype=float) for units in (6, 4)]
    v, h, joint = oracle.joint_distribution(plain(rbm))
    rows, columns = ([np.flatnonzero((table == state).all(1))[0] for state in states] for table, states in ((v, order[0]), (h, order[1])))
    joint = joint[np.ix_(rows, columns)]
    return *order, joint / joint.sum(1, keepdims=True), (joint / joint.sum(0)).T, joint


def total_correlation(states, p):
    ons = p @ states
    product = np.prod(np.where(states == 1, ons, 1 - ons), axis=1)
    return (p[p > 0] * np.log(p[p > 0] / product[p > 0])).sum()


def test_depth(found):
    assert found["figures"] == ["infinite_net_depth", "telescoping_derivative", "complementary_prior"]
    data = found["data"].numpy()
    for scale, rbm in found["rbms"].items():
        v, _, up, down, joint = kernel(rbm)
        eigenvalues = np.sort(np.abs(np.linalg.eigvals(up @ down)))
        assert eigenvalues[-1] == pytest.approx(1)
        assert found["second"][scale] == pytest.approx(eigenvalues[-2], abs=1e-10)
        p, bias = joint.sum(1), rbm.visible.bias.detach().numpy()
        q = np.prod(np.where(v == 1, 1 / (1 + np.exp(-bias)), 1 / (1 + np.exp(bias))), axis=1)
        for place in range(len(found["DEPTHS"])):
            q = q @ up @ down
            expected = 0.5 * np.abs(q - p).sum(), abs(data @ np.log(p / q)), abs(p @ np.log(p / q))
            assert [curve[place].item() for curve in found["curves"][scale]] == pytest.approx(expected, rel=1e-6, abs=1e-13)
        # Geometric, and at the kernel's own rate: λ, and λ² for the machine's own data.
        second = eigenvalues[-2]
        assert found["rates"][scale] == pytest.approx([second, second, second**2], rel=2e-3)


def test_the_derivative_telescopes(found):
    v, h, up, down, joint = kernel(found["rbm"])
    p = found["data"].numpy()
    chain = []  # <v h> of each layer and the one above it, upwards from the data: v0 h0, h0 v1, v1 h1, ...
    for _ in range(found["LAYERS"] // 2 + 1):
        chain.append(v.T @ (p[:, None] * up) @ h)
        p = p @ up
        chain.append(v.T @ (p[:, None] * down).T @ h)
        p = p @ down
    for layer in range(found["LAYERS"]):
        np.testing.assert_allclose(found["slopes"][layer], chain[layer] - chain[layer + 1], atol=1e-10)
    for k in range(1, found["LAYERS"] // 2 + 1):
        np.testing.assert_allclose(found["partial"][2 * k - 1], chain[0] - chain[2 * k], atol=1e-10)  # CD-k
    likelihood = chain[0] - v.T @ joint @ h
    np.testing.assert_allclose(found["partial"][-1], likelihood, atol=1e-10)
    assert found["telescoped"] < 1e-10
    shares = [np.linalg.norm(chain[k] - v.T @ joint @ h) / np.linalg.norm(likelihood) for k in (2, 12)]
    assert [found["left_out"][1], found["left_out"][11]] == pytest.approx(shares)
    assert shares == pytest.approx([0.34, 0.026], rel=0.03)


def test_the_complementary_prior(found):
    rbm = found["rbm"]
    _, h, up, down, _ = kernel(rbm)
    weight, b, c = (t.detach().numpy() for t in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))
    np.testing.assert_allclose(found["tied"].p, up, atol=1e-12)  # σ(c + W'v) and no more
    means = []
    for place, strength in enumerate(found["strengths"].tolist()):
        prior = np.exp(h @ c) * np.prod(1 + np.exp(b + strength * h @ weight.T), axis=1)
        posterior = down.T * prior
        posterior /= posterior.sum(1, keepdims=True)
        expected = [total_correlation(h, p) for p in posterior]
        np.testing.assert_allclose(found["tables"][strength].p, posterior, atol=1e-12)
        np.testing.assert_allclose(found["correlations"][place], expected, atol=1e-12)
        means.append(np.mean(expected))
    assert found["strengths"][20].item() == 1
    assert max(found["correlations"][20]) < 1e-12
    assert min(means[:20] + means[21:]) > 1e-5
    assert min(means[0], means[-1]) > 0.02
    assert np.all(np.diff(found["cut"]) < 0)
    assert found["cut"][-1] < 1e-6 < 0.01 < found["cut"][0]

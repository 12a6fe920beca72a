"""Energies, probabilities and the partition function against loops over every configuration."""

import itertools
import math

import numpy as np
import pytest

from tests.gallery.scripts import run

B, C, W = (-1.0, -1.0, -0.5), (-2.0, -1.0), ((2.5, -2.0), (2.5, 0.0), (0.0, 2.5))
VISIBLE = [tuple(state[::-1]) for state in itertools.product((0, 1), repeat=3)]  # the first unit changes fastest
HIDDEN = [tuple(state[::-1]) for state in itertools.product((0, 1), repeat=2)]


def energy(v, h, first=W[0][0]):
    """-Σ b v - Σ c h - Σ v w h, one configuration."""
    met = sum((first if (i, j) == (0, 0) else W[i][j]) * v[i] * h[j] for i in range(3) for j in range(2))
    return -sum(b * x for b, x in zip(B, v, strict=True)) - sum(c * x for c, x in zip(C, h, strict=True)) - met


def table(first=W[0][0]):
    return np.array([[energy(v, h, first) for h in HIDDEN] for v in VISIBLE])


def test_energies():
    found = run("plot_04_energies")
    assert found["figures"] == ["energies_and_probabilities", "one_weight_moves_all", "gibbs_shares"]

    energies = table()
    z = sum(math.exp(-e) for e in energies.ravel())
    assert found["names_v"] == ["".join(map(str, v)) for v in VISIBLE]
    np.testing.assert_allclose(found["energy"], energies, atol=1e-12)
    np.testing.assert_allclose(found["joint"], np.exp(-energies) / z, atol=1e-12)
    np.testing.assert_allclose(found["p_v"], np.exp(-energies).sum(1) / z, atol=1e-12)
    np.testing.assert_allclose(found["p_h"], np.exp(-energies).sum(0) / z, atol=1e-12)
    np.testing.assert_allclose(found["log_p"], np.log(np.exp(-energies).sum(1) / z), atol=1e-12)
    assert found["log_z"] == pytest.approx(math.log(z), abs=1e-12) == pytest.approx(2.870683, abs=1e-6)

    # One weight: the same quarter of the energies, every probability, and log Z whose slope is the expectation.
    on = np.array([[v[0] * h[0] for h in HIDDEN] for v in VISIBLE]).ravel()
    assert found["both_on"].tolist() == on.astype(bool).tolist()
    assert on.sum() == 8
    for place, weight in enumerate(found["weights"].tolist()):
        e = table(weight).ravel()
        log_z = math.log(np.exp(-e).sum())
        np.testing.assert_allclose(found["swept"][place], e, atol=1e-12)
        np.testing.assert_allclose(found["log_joint"][place], -e - log_z, atol=1e-12)
        assert found["log_zs"][place].item() == pytest.approx(log_z, abs=1e-12)
        assert found["slopes"][place].item() == pytest.approx(on @ np.exp(-e - log_z), abs=1e-12)
    assert found["moved"] == [8, 32]

    p = np.exp(-energies).sum(1) / z
    assert (np.abs(found["shares"].numpy() - p) < 4 * np.sqrt(p * (1 - p) / 5000)).all()

"""Stochastic binary units are on with probability σ(input), and a pass downwards draws from the net's own distribution."""

import numpy as np
import pytest

from tests.gallery.scripts import run


def test_units_and_fantasies() -> None:
    found = run("plot_01_stochastic_binary_units")
    assert found["figures"] == ["stochastic_binary_units"]

    parents = (np.arange(8)[:, None] >> np.arange(3)) & 1
    expected = 1 / (1 + np.exp(0.5 - parents @ np.array([3, -2, 1])))
    error = np.sqrt(expected * (1 - expected) / found["DRAWS"])
    assert (np.abs(found["share"].numpy() - expected) <= 4 * error).all()
    assert (np.abs(found["noisy"].numpy() - expected) <= 4 * error).all()
    assert found["away"] < 4

    # All states of the bars and of the unit above them, and what each pixel's probability then is.
    on = (np.arange(512)[:, None] >> np.arange(9)) & 1
    bars, top = on[:, :8], on[:, 8]
    bias = np.tile(np.linspace(-1.5, 1.5, 4), 2) - 6.0 * (np.arange(8) < 4)
    input = bias + top[:, None] * np.where(np.arange(8) < 4, 6.0, -6.0)
    p_bars = 0.5 * np.prod(np.where(bars, 1, np.exp(-input)) / (1 + np.exp(-input)), axis=1)
    assert p_bars.sum() == pytest.approx(1)
    rows, columns = np.divmod(np.arange(16), 4)
    covered = np.stack([columns == n for n in range(4)] + [rows == n for n in range(4)], axis=1)
    ink = 1 / (1 + np.exp(4 - 8.0 * bars @ covered.T))

    patterns = found["patterns"].numpy()[found["often"].numpy()]
    given = np.prod(np.where(patterns[:, None] > 0, ink, 1 - ink), axis=2)
    np.testing.assert_allclose(found["p"], given @ p_bars, rtol=1e-4)
    count = found["FANTASIES"]
    z = (found["shares"].numpy() - given @ p_bars) / np.sqrt(given @ p_bars / count)
    assert len(patterns) > 100
    assert np.abs(z).max() < 5
    assert 0.7 < np.sqrt(np.mean(z**2)) < 1.3
    mean = p_bars @ ink
    assert (np.abs(found["fantasies"].numpy().mean(0) - mean) <= 5 * np.sqrt(mean * (1 - mean) / count)).all()

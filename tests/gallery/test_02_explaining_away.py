"""The truck, the earthquake and the house: the posterior by hand."""

import math

import numpy as np
import pytest

from tests.gallery.scripts import run


def test_explaining_away() -> None:
    found = run("plot_02_explaining_away")
    assert found["figures"] == ["explaining_away"]

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    rare = sigmoid(-10)
    joint = {
        (truck, quake): (rare if truck else 1 - rare) * (rare if quake else 1 - rare) * sigmoid(-20 + 20 * truck + 20 * quake)
        for truck in (0, 1)
        for quake in (0, 1)
    }
    p = {causes: value / sum(joint.values()) for causes, value in joint.items()}
    for causes, value in p.items():
        assert found["p"][causes] == pytest.approx(value, rel=1e-9)
    assert p[1, 1] == pytest.approx(p[0, 0]) == pytest.approx(4.5396e-5, rel=1e-4)
    assert p[1, 0] == pytest.approx(p[0, 1]) == pytest.approx(0.4999546, abs=5e-8)
    for causes, value in found["slide"].items():  # to the slide's own four places, of which the last is rounded up
        assert abs(p[causes] - value) < 1e-4
    before, jumped, both = found["truck"].values()
    assert before == pytest.approx(rare)
    assert jumped == pytest.approx(0.5)
    assert both == pytest.approx(p[1, 1] / (p[1, 1] + p[0, 1]))
    assert both < 2e-4 * jumped

    # The best factorial q, by a search over a grid around both explanations: about log 2 nats are lost.
    grid = np.concatenate([np.geomspace(1e-7, 0.5, 400), 1 - np.geomspace(1e-7, 0.5, 400)])
    a, b = np.meshgrid(grid, grid)
    terms = [np.where(t, a, 1 - a) * np.where(q, b, 1 - b) for t, q in p]
    lost = sum(q * np.log(q / value) for q, value in zip(terms, p.values(), strict=True)).min()
    assert found["lost"] == pytest.approx(lost, abs=1e-4)
    assert found["lost"] == pytest.approx(math.log(2), abs=2e-4)

    # The sweep's transition matrix over (truck, earthquake), both drawn in turn.
    states = [(0, 0), (0, 1), (1, 0), (1, 1)]
    sweep = np.zeros((4, 4))
    for n, (_, quake) in enumerate(states):
        for m, (truck, new) in enumerate(states):
            first = p[truck, quake] / (p[0, quake] + p[1, quake])
            sweep[n, m] = first * p[truck, new] / (p[truck, 0] + p[truck, 1])
    at = np.linalg.matrix_power(sweep, found["SWEEPS"])[2]
    expected = at[1] + at[3]
    assert found["moved"][-1] == pytest.approx(expected, abs=5 * math.sqrt(expected / found["CHAINS"]))
    assert expected < 0.05

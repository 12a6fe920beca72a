"""Permitted sets: by Cholesky's factorisation, by a solver of differential equations, and by the RBM's own energy."""

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import LinAlgError, cholesky

from tests.gallery.scripts import run


def positive(lateral: np.ndarray, units: tuple[int, ...]) -> bool:
    try:
        cholesky(np.eye(len(units)) - lateral[np.ix_(units, units)])
    except LinAlgError:
        return False
    return True


def test_permitted_and_forbidden_sets() -> None:
    found = run("plot_31_permitted_and_forbidden_sets")
    assert found["figures"] == ["permitted_sets"]
    allowed, sets, inhibition = found["allowed"], found["sets"], found["inhibition"]
    assert len(sets) == 255
    assert allowed == {each for each in sets if positive(inhibition, each)}
    assert {one for each in allowed for size in range(1, len(each)) for one in itertools.combinations(each, size)} <= allowed
    assert 20 < len(allowed) < 235

    assert found["stayed"] == allowed
    assert set(found["ended"].values()) <= allowed
    for each in (sets[20], sets[100], sets[-1]):
        state = np.isin(np.arange(8), each).astype(float)
        drive = np.where(state > 0, state, -0.5) - inhibition @ state

        def change(_: float, x: np.ndarray, drive: np.ndarray = drive) -> np.ndarray:
            return np.maximum(0, drive + inhibition @ x) - x

        start = state + 1e-3 * np.random.default_rng(1).normal(size=8) * state
        end = solve_ivp(change, (0, 1000), np.maximum(0, start), rtol=1e-8).y[:, -1]
        assert tuple(np.flatnonzero(end > 1e-4)) in allowed
        assert (tuple(np.flatnonzero(end > 1e-4)) == each) == (each in allowed)

    rbm, weight = found["rbm"].double(), found["weight"]
    assert "the RBM permits 255 of 255 sets" in found["printed"]
    generator = torch.Generator().manual_seed(0)
    h = torch.rand(6, 8, generator=generator).double()
    with torch.no_grad():  # the energy with visible units at their means is that of a net with W'W
        energies = rbm.energy(rbm.visible_mean(h), h).numpy()
        offset = rbm.energy(rbm.visible_mean(0 * h), 0 * h).numpy()
        drive = (rbm.hidden_input(rbm.visible.bias.expand(1, -1)) + 0 * rbm.hidden.bias).numpy()[0]
    states = h.numpy()
    quadratic = 0.5 * np.einsum("ni,ij,nj->n", states, np.eye(8) - weight.T @ weight, states) - states @ drive
    np.testing.assert_allclose(energies - offset, quadratic, atol=1e-6)

    expected = {each for each in sets if not any({first, first + 1} <= set(each) for first in range(0, 8, 2))}
    assert found["exclusive"] == expected  # at most one of each pair
    assert len(expected) == 3**4 - 1
    side = np.linspace(0, 6, 61)
    forbidden = found["landscape"](0.8, side)
    assert np.unravel_index(forbidden.argmin(), forbidden.shape) in {(0, 50), (50, 0)}  # 1 / (1 - a) = 5, and 0
    assert forbidden[10, 10] > forbidden[8, 12]  # the saddle at (1, 1)
    allowed_pair = found["landscape"](0.3, side)
    assert np.unravel_index(allowed_pair.argmin(), allowed_pair.shape) == (10, 10)
    assert forbidden.min() == pytest.approx(-1 / (2 * 0.2))

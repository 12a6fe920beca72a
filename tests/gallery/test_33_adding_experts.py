"""Units added one at a time: likelihoods by a table in NumPy, and what the page says of them."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import logsumexp

from tests.gallery import prose
from tests.gallery.scripts import GALLERY, run


def nats(rbm, v):
    """log Z over the states of the hidden units, of spins or bits below."""
    weight, b, c = (each.detach().numpy() for each in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias))
    low = -1 if type(rbm.visible).__name__ == "Spin" else 0
    h = np.array(list(itertools.product([0, 1], repeat=len(c))), dtype=float)
    inputs = b + h @ weight.T
    log_z = logsumexp(h @ c + np.logaddexp(low * inputs, inputs).sum(1))
    return np.mean(v @ b + np.logaddexp(0, v @ weight + c).sum(1)) - log_z


def test_adding_experts() -> None:
    name = "plot_33_adding_experts"
    assert not prose.without_source((GALLERY / f"{name}.py").read_text(), "")
    found = run(name, **{"UNITS, STARTS, FEATURES": "8, 2, 4"})
    assert found["figures"] == ["adding_experts"]
    lines, curves = found["lines"].numpy(), found["curves"]
    for name, rbms in found["learnt"].items():
        assert [rbm.hidden.shape[0] for rbm in rbms] == list(range(1, 9))
        assert curves[name] == pytest.approx([nats(rbm, lines) for rbm in rbms], abs=1e-8)
    # Of 32 pictures, 28 occur once, and the empty and the full one twice.
    assert found["best"] == pytest.approx(-(28 / 32 * math.log(32) + 4 / 32 * math.log(16)), abs=1e-12)
    greedy, refitted, together = (curves[name] for name in ("one by one", "one by one, all refitted", "all at once"))
    for curve in (greedy, refitted):
        assert curve == sorted(curve)
    assert all(each <= other + 1e-9 for each, other in zip(greedy, refitted, strict=True))
    assert refitted[3] > greedy[3] + 0.4
    assert refitted[-1] > greedy[-1] + 2
    for curve in (refitted, together):
        assert curve[-1] == pytest.approx(found["best"], abs=0.01)
        assert next(units for units, each in enumerate(curve, start=1) if each > found["best"] - 0.01) == 7
    assert together[2] > refitted[2]

    test, scores = found["test"].numpy(), found["scores"]
    share = (found["train"].numpy().sum(0) + 1) / (600 + 2)
    assert scores[0] == pytest.approx((test @ np.log(share) + (1 - test) @ np.log(1 - share)).mean(), abs=1e-9)
    assert scores[1:] == pytest.approx([nats(rbm, test) for rbm in found["added"]], abs=1e-8)
    assert scores == sorted(scores)
    assert scores[0] + 3 < scores[-1] < nats(found["at_once"], test) < scores[-1] + 1

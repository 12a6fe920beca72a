"""Units added one at a time, against tables of all joint states in NumPy, SciPy's optimiser, and closed forms."""

import itertools
import math
import sys

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

import harmonium as hm
from harmonium.learning.residual import Enumerated, Particles, is_small

module = sys.modules["harmonium.learning.projection_pursuit"]
KINDS = {"bernoulli": (hm.Bernoulli, (0, 1)), "spin": (hm.Spin, (-1, 1))}


def states(units, values):
    return np.array(list(itertools.product(values, repeat=units)), dtype=float)


def nats(rows, weight, b, c, visible=(0, 1), hidden=(0, 1)):
    """The mean log-likelihood by a table of all pairs of states."""
    v, h = states(len(b), visible), states(len(c), hidden)

    def log_terms(v):
        return logsumexp(v @ weight @ h.T + h @ c, axis=1) + v @ b

    return float(np.mean(log_terms(rows) - logsumexp(log_terms(v))))


def arrays(rbm):
    return [each.detach().numpy().copy() for each in (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias)]


def correlated(cases=200, units=5, seed=0):
    """Bits with some correlation, of which every state occurs, so that the best weights are finite."""
    draw = np.random.default_rng(seed)
    causes = draw.normal(size=(cases, 2)) @ draw.normal(size=(2, units))
    return np.concatenate([(causes + draw.normal(size=causes.shape) > 0.3).astype(float), states(units, (0, 1))])


def test_each_unit_takes_a_bar():
    pictures = np.repeat(states(3, (0, 1)), 2, axis=1)  # three bars of two pixels
    rbm = hm.Bernoulli(6).double()
    for bars in (1, 2, 3):
        rbm = hm.projection_pursuit(rbm, pictures)
        assert nats(pictures, *arrays(rbm)) == pytest.approx(-(6 - bars) * math.log(2), abs=1e-4)


@pytest.mark.parametrize("hidden", KINDS)
@pytest.mark.parametrize("visible", KINDS)
def test_no_unit_lowers_the_likelihood_and_old_weights_stay(visible, hidden):
    (unit, values), (feature, states_of) = KINDS[visible], KINDS[hidden]
    rows = correlated()
    rows = rows if visible == "bernoulli" else 2 * rows - 1
    rbm, found = unit(5).double(), []
    for number in range(3):
        before = None if number == 0 else arrays(rbm)
        larger = hm.projection_pursuit(rbm, rows, hidden=feature)
        if before is not None:
            for old, kept in zip(before, arrays(rbm), strict=True):
                np.testing.assert_array_equal(old, kept)  # what is given is not changed
            np.testing.assert_array_equal(larger.coupling.weight[:, :number].detach(), before[0])
            np.testing.assert_array_equal(larger.hidden.bias[:number].detach(), before[2])
        rbm = larger
        assert isinstance(rbm.hidden, feature)
        found.append(nats(rows, *arrays(rbm), values, states_of))
        assert math.isclose(found[-1], hm.likelihood.evaluate(rbm, torch.tensor(rows)).nats, abs_tol=1e-9)
    share = rows.mean(0) if visible == "bernoulli" else (rows.mean(0) + 1) / 2
    alone = float(np.sum(share * np.log(share) + (1 - share) * np.log(1 - share)))
    assert alone < found[0] - 0.05
    assert found == sorted(found)


def test_both_codes_of_bits_and_both_kinds_of_unit_give_one_distribution():
    rows = correlated()
    found = []
    for (unit, values), (feature, states_of) in itertools.product(KINDS.values(), repeat=2):
        data = rows if unit is hm.Bernoulli else 2 * rows - 1
        rbm = hm.projection_pursuit(unit(5).double(), data, hidden=feature)
        found.append(nats(data, *arrays(rbm), values, states_of))
    assert np.ptp(found) < 1e-5


def test_the_new_unit_is_at_a_maximum_and_the_old_one_is_not_asked():
    rows = correlated()
    weight, b, c = arrays(hm.projection_pursuit(hm.Bernoulli(5).double(), rows, 2))

    def slope(which, place):
        moved = []
        for step in (1e-4, -1e-4):
            parts = [weight.copy(), b.copy(), c.copy()]
            parts[which][place] += step
            moved.append(nats(rows, *parts))
        return (moved[0] - moved[1]) / 2e-4

    new = [slope(0, (i, 1)) for i in range(5)] + [slope(1, i) for i in range(5)] + [slope(2, 1)]
    assert np.abs(new).max() < 1e-3
    assert max(abs(slope(0, (i, 0))) for i in range(5)) > 1e-3


def test_refitted_units_are_as_good_as_the_exact_gradient_on_all_of_them():
    rows, units = correlated(), 2

    def loss(flat):
        weight, b, c = np.split(flat, [5 * units, 5 * units + 5])
        return -nats(rows, weight.reshape(5, units), b, c)

    draw = np.random.default_rng(0)
    together = max(-minimize(loss, draw.normal(size=5 * units + 5 + units), method="BFGS").fun for _ in range(2))
    greedy, refitted = (
        nats(rows, *arrays(hm.projection_pursuit(hm.Bernoulli(5).double(), rows, units, refit=refit))) for refit in (False, True)
    )
    assert greedy <= refitted + 1e-9
    assert refitted > together - 0.015  # another maximum nearby


def test_particles_come_near_what_enumeration_finds():
    rows = correlated()
    one, exact, drawn = (
        nats(rows, *arrays(hm.projection_pursuit(hm.Bernoulli(5).double(), rows, units, particles=particles)))
        for units, particles in ((1, None), (2, None), (2, 2000))
    )
    assert (one + exact) / 2 < drawn <= exact + 1e-6


def test_a_machine_too_large_to_enumerate_takes_particles_and_seeds_repeat(monkeypatch):
    rows, looked = correlated(30), []
    monkeypatch.setattr(module, "is_small", lambda model: False)
    monkeypatch.setattr(module, "PARTICLES", 50)
    look = Particles.look
    monkeypatch.setattr(Particles, "look", lambda self, model: (looked.append(len(self.v)), look(self, model))[1])
    first, again, other = (arrays(hm.projection_pursuit(hm.Bernoulli(5), rows, seed=seed)) for seed in (0, 0, 1))
    assert set(looked) == {50}
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert first[0].dtype == np.float32


@pytest.mark.parametrize(("visible", "hidden"), [(4, 6), (6, 4)])
def test_the_covariance_and_log_z_of_a_machine(visible, hidden):
    rbm = hm.RBM(hm.Bernoulli(visible), hm.Spin(hidden), hm.Dense(visible, hidden, scale=0.7)).double()
    weight, b, c = arrays(rbm)
    b += 0.3
    rbm.visible.bias.data += 0.3
    v, h = states(visible, (0, 1)), states(hidden, (-1, 1))
    log_p = logsumexp(v @ weight @ h.T + h @ c, axis=1) + v @ b
    p = np.exp(log_p - logsumexp(log_p))
    covariance = (v - p @ v).T @ (p[:, None] * (v - p @ v))
    exact = Enumerated()
    exact.look(rbm)
    np.testing.assert_allclose(exact.covariance().numpy(), covariance, atol=1e-12)
    assert exact.log_z(rbm).item() == pytest.approx(logsumexp(log_p), abs=1e-12)

    draws = torch.tensor(v[np.random.default_rng(0).choice(len(v), 4000, p=p)])
    drawn = Particles(draws, torch.Generator().manual_seed(0))
    drawn.look(rbm)
    np.testing.assert_allclose(drawn.covariance().numpy(), covariance, atol=5 * 0.25 / math.sqrt(4000))
    near = hm.RBM(hm.Bernoulli(visible), hm.Spin(hidden), hm.Dense(visible, hidden, scale=0.7)).double()
    near.visible.bias.data += 0.4
    other = v @ (b + 0.1) + logsumexp(v @ weight @ h.T + h @ c, axis=1)
    ratio = np.exp(other - log_p)
    error = np.sqrt(p @ (ratio - p @ ratio) ** 2 / 4000) / (p @ ratio)
    assert drawn.log_z(near).item() == pytest.approx(logsumexp(other) - logsumexp(log_p), abs=5 * error)
    far = hm.RBM(hm.Bernoulli(visible), hm.Spin(hidden), hm.Dense(visible, hidden, scale=30.0, seed=3)).double()
    kept = drawn.trusted(far)
    weights = torch.softmax(drawn.free_energy - kept.free_energy(drawn.v), 0)
    assert 1 / weights.square().sum() >= 2000
    assert torch.equal(drawn.trusted(near).visible.bias, near.visible.bias)


def test_small_is_what_an_enumeration_has_room_for():
    assert is_small(hm.RBM(hm.Bernoulli(64), hm.Bernoulli(16)))
    assert not is_small(hm.RBM(hm.Bernoulli(64), hm.Bernoulli(17)))
    assert is_small(hm.RBM(hm.Bernoulli(16), hm.Bernoulli(64)))
    assert not is_small(hm.RBM(hm.Bernoulli(784), hm.Bernoulli(14)))


def test_what_cannot_be_grown_is_refused():
    rows = correlated(20)
    with pytest.raises(TypeError, match="Bernoulli and Spin units, found Gaussian"):
        hm.projection_pursuit(hm.Gaussian(5), rows)
    with pytest.raises(TypeError, match="Bernoulli and Spin units, found Softmax"):
        hm.projection_pursuit(hm.RBM(hm.Bernoulli(5), hm.Softmax(1, categories=3)), rows)
    with pytest.raises(TypeError, match="dense coupling, found LowRank"):
        hm.projection_pursuit(hm.RBM(hm.Bernoulli(5), hm.Bernoulli(3), hm.LowRank(5, 3, rank=2)), rows)
    with pytest.raises(ValueError, match="flat layers"):
        hm.projection_pursuit(hm.Bernoulli((5, 1)), rows[:, :, None])
    with pytest.raises(ValueError, match="0 or 1"):
        hm.projection_pursuit(hm.Bernoulli(5), 2 * rows - 1)
    with pytest.raises(ValueError, match="at least one unit"):
        hm.projection_pursuit(hm.Bernoulli(5), rows, 0)

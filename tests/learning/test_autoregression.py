"""The linear prediction from which conditional machines of real-valued frames start, against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

import harmonium as hm
from harmonium.learning.autoregression import RIDGES, ridge_regression


def spiral(time=400, noise=0.3, seed=0):
    """A stable process of two numbers: x' = 0.9 · a turn of x, plus noise."""
    draw = np.random.default_rng(seed)
    turn = 0.9 * np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    found = np.zeros((time, 2))
    for t in range(1, time):
        found[t] = found[t - 1] @ turn + noise * draw.normal(size=2)
    return found * [1.0, 5.0] + [3.0, -2.0], turn


def by_hand(x, y, weights):
    """Generalised cross-validation with the hat matrix written out, and scikit-learn's coefficients."""
    share = weights / weights.sum()
    centred = x - share @ x
    scale = (share @ centred**2).mean()
    spread = share @ (y - share @ y) ** 2
    scores, found = [], []
    for ridge in RIDGES:
        model = Ridge(alpha=ridge * scale * weights.sum()).fit(x, y, sample_weight=weights)
        root = np.sqrt(share)[:, None] * centred
        hat = root @ np.linalg.solve(root.T @ root + ridge * scale * np.eye(x.shape[1]), root.T)
        error = share @ (y - model.predict(x)) ** 2 / spread
        scores.append(error.mean() / (1 - (1 + np.trace(hat)) / len(x)) ** 2)
        found.append(model.coef_.T)
    return found[int(np.argmin(scores))]


@pytest.mark.parametrize("cases", [24, 26, 30, 60])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_regression_is_scikit_learns_by_generalised_cross_validation(weighted, cases):
    draw = np.random.default_rng(1)
    x = draw.normal(size=(cases, 20)) @ np.diag(np.geomspace(1, 0.01, 20))
    y = x[:, :3] * 2 + draw.normal(size=(cases, 3)) * [0.1, 1, 3]
    weights = draw.uniform(0.5, 2, cases) if weighted else np.ones(cases)
    found = ridge_regression(torch.tensor(x), torch.tensor(y), torch.tensor(weights) if weighted else None)
    np.testing.assert_allclose(found, by_hand(x, y, weights), rtol=1e-6, atol=1e-9)


def test_a_conditional_machine_starts_at_the_linear_prediction_and_its_residual():
    sequence, turn = spiral()
    frames, contexts = hm.data.past_frames(torch.tensor(sequence).float(), 1)
    rbm = hm.RBM(hm.Gaussian(2, learn_variance=True), hm.Bernoulli(3), hm.Conditional(hm.Dense(2, 3), 2))
    hm.fit(rbm, frames, given=hm.Given(context=contexts), epochs=0)
    matrix = rbm.coupling.dynamic["visible"].detach()
    scale = np.diag([1.0, 5.0])
    np.testing.assert_allclose(matrix, np.linalg.inv(scale) @ turn @ scale, atol=0.6)
    rest = frames - contexts @ matrix
    np.testing.assert_allclose(rbm.visible.bias.detach(), rest.mean(0), rtol=1e-4)
    np.testing.assert_allclose(rbm.visible.log_variance.detach().exp(), rest.var(0), rtol=0.02)
    np.testing.assert_allclose(rest.std(0), [0.3, 1.5], rtol=0.1)


def test_prediction_that_was_set_is_kept_and_other_units_get_none():
    frames, contexts = hm.data.past_frames(torch.tensor(spiral()[0]).float(), 1)
    given = hm.Given(context=contexts)
    known = hm.RBM(hm.Gaussian(2), hm.Bernoulli(3), hm.Conditional(hm.Dense(2, 3), 2))
    torch.nn.init.constant_(known.coupling.dynamic["visible"], 0.1)
    hm.fit(known, frames, given=given, epochs=0)
    assert (known.coupling.dynamic["visible"] == 0.1).all()
    left = frames.mean(0) - 0.1 * contexts.sum(1).mean()  # what the set prediction leaves to the biases
    assert known.visible.bias.tolist() == pytest.approx(left.tolist(), rel=1e-4)
    mixed = hm.RBM(hm.Groups(hm.Bernoulli(1), hm.Gaussian(1)), hm.Bernoulli(3), hm.Conditional(hm.Dense(2, 3), 2))
    rows = torch.stack([(frames[:, 0] > 3).float(), frames[:, 1]], dim=1)
    hm.fit(mixed, rows, given=given, epochs=0)
    found = mixed.coupling.dynamic["visible"]
    assert (found[:, 0] == 0).all()
    assert (found[:, 1] != 0).all()
    assert mixed.visible.layers().__next__().bias.item() == pytest.approx(torch.logit(rows[:, 0].mean()).item(), abs=0.02)

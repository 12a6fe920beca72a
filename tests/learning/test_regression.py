"""Regression by fine-tuning, from data to predictions: squared error, and a Gaussian whose variance is learnt."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import nn

import harmonium as hm

DRAW = np.random.default_rng(0)
X = (DRAW.random((400, 6)) < 0.5).astype(np.float64)
MEAN = 2 * X[:, 0] - X[:, 1] * X[:, 2]
SPREAD = np.where(X[:, 3] > 0, 0.8, 0.2)
Y = (MEAN + SPREAD * DRAW.normal(size=400))[:, None]
LBFGS = partial(torch.optim.LBFGS, max_iter=300, line_search_fn="strong_wolfe")


def linear(outputs: int) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(6, outputs)).double()
    for parameter in net.parameters():
        parameter.data.zero_()
    return net


def test_squared_error_reaches_least_squares() -> None:
    net = linear(1)
    hm.fine_tune(net, X, Y, loss=nn.functional.mse_loss, optimizer=LBFGS, batch_size=400, epochs=1, progress=False)
    design = np.column_stack([X, np.ones(400)])
    expected = design @ np.linalg.lstsq(design, Y, rcond=None)[0]
    np.testing.assert_allclose(hm.predict(net, X).numpy(), expected, atol=1e-5)


def test_a_gaussian_reaches_the_maximum_likelihood_of_mean_and_variance() -> None:
    net = linear(2)
    state = hm.fine_tune(net, X, Y, loss=hm.nets.gaussian_loss, optimizer=LBFGS, batch_size=400, epochs=2, progress=False)
    design = np.column_stack([X, np.ones(400)])

    def loss(flat: np.ndarray) -> float:
        mean, log_variance = design @ flat[:7], design @ flat[7:]
        return float((0.5 * np.log(2 * np.pi) + 0.5 * log_variance + 0.5 * (Y[:, 0] - mean) ** 2 / np.exp(log_variance)).mean())

    found = optimize.minimize(loss, np.zeros(14), method="BFGS")
    outputs = hm.predict(net, X).numpy()
    np.testing.assert_allclose(outputs[:, 0], design @ found.x[:7], atol=1e-3)
    np.testing.assert_allclose(outputs[:, 1], design @ found.x[7:], atol=3e-3)
    assert abs(state.history[-1]["train_loss"] - loss(found.x)) < 1e-5


@pytest.mark.filterwarnings("ignore::harmonium.Advice")
def test_a_stack_learns_the_spread_with_the_mean() -> None:
    """Held out, its log-likelihood is between that of one variance for all cases and that of the truth."""
    dbn = hm.greedy(X[:300], [hm.Bernoulli(6), hm.Bernoulli(30)], epochs=20, batch_size=20, progress=False)
    net = hm.nets.feed_forward(dbn, 2)
    adam, held = partial(torch.optim.Adam, lr=0.02), (X[300:], Y[300:])
    state = hm.fine_tune(
        net, X[:300], Y[:300], loss=hm.nets.gaussian_loss, optimizer=adam, epochs=150, batch_size=30, validation=held, progress=False
    )
    outputs = hm.predict(net, X[300:]).double().numpy()
    assert np.sqrt(((outputs[:, 0] - MEAN[300:]) ** 2).mean()) < 0.2  # least squares: 0.25
    spread = np.exp(outputs[:, 1] / 2)
    noisy = SPREAD[300:] > 0.5
    assert abs(spread[noisy].mean() - 0.8) < 0.2
    assert abs(spread[~noisy].mean() - 0.2) < 0.1
    truth = (0.5 * np.log(2 * np.pi * SPREAD[300:] ** 2) + 0.5 * ((Y[300:, 0] - MEAN[300:]) / SPREAD[300:]) ** 2).mean()
    common = 0.5 * np.log(2 * np.pi * np.e * ((Y[300:, 0] - MEAN[300:]) ** 2).mean())
    assert truth - 0.1 < state.history[state.best_epoch - 1]["validation_loss"] < common


def test_what_is_no_mean_and_variance_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(400, 1\) and 3 outputs"):
        hm.fine_tune(linear(3), X, Y, loss=hm.nets.gaussian_loss, batch_size=400, epochs=1, progress=False)


def test_weighted_cases_are_repeated_cases() -> None:
    weights, found, expected = DRAW.integers(3, size=400), linear(2), linear(2)
    settings = {"loss": hm.nets.gaussian_loss, "optimizer": LBFGS, "epochs": 1, "batch_size": 1000, "progress": False}
    hm.fine_tune(found, X, Y, sample_weight=weights, **settings)
    hm.fine_tune(expected, X.repeat(weights, axis=0), Y.repeat(weights, axis=0), **settings)
    np.testing.assert_allclose(hm.predict(found, X).numpy(), hm.predict(expected, X).numpy(), atol=1e-3)

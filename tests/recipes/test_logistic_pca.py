"""Logistic PCA: against SciPy's minimisation of the same sum, and against the codes that made the data."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from harmonium.recipes.shared.logistic_pca import logistic_pca, newton

RIDGE = 0.1
DRAW = np.random.default_rng(0)
X = DRAW.random((15, 6))  # grey levels, as images have


def total(x, codes, loadings, bias, ridge=RIDGE):
    """The sum that is minimised, and its gradient in codes, loadings and biases."""
    z = codes @ loadings + bias
    slope = 1 / (1 + np.exp(-z)) - x
    squares = sum((part**2).sum() for part in (codes, loadings, bias))
    gradients = (slope @ loadings.T + ridge * codes, codes.T @ slope + ridge * loadings, slope.sum(0) + ridge * bias)
    return (np.logaddexp(0, z) - x * z).sum() + ridge / 2 * squares, gradients


def by_scipy(x, components, seed):
    """The least sum that L-BFGS finds from a random start, over all parameters at once."""
    n, pixels = x.shape
    sizes = np.cumsum([n * components, components * pixels])

    def of(flat):
        codes, loadings, bias = np.split(flat, sizes)
        value, gradients = total(x, codes.reshape(n, components), loadings.reshape(components, pixels), bias)
        return value, np.concatenate([part.ravel() for part in gradients])

    start = np.random.default_rng(seed).normal(scale=0.5, size=sizes[-1] + pixels)
    return minimize(of, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-14, "gtol": 1e-9}).fun


def test_alternating_newton_steps_find_the_least_sum() -> None:
    found = logistic_pca(torch.tensor(X), 2, ridge=RIDGE, iterations=2000, tolerance=1e-13)
    codes = found.codes(torch.tensor(X), steps=100).numpy()
    value, gradients = total(X, codes, found.loadings.numpy(), found.bias.numpy())
    assert max(abs(part).max() for part in gradients) < 2e-3
    assert value <= min(by_scipy(X, 2, seed) for seed in range(5)) * (1 + 1e-6)


def test_codes_of_new_images_are_the_best_ones() -> None:
    """Each is the minimum of a convex function, which SciPy finds from another start."""
    found = logistic_pca(torch.tensor(X[:10]), 2, ridge=RIDGE)
    for x, code in zip(X[10:], found.codes(torch.tensor(X[10:]), steps=100).numpy(), strict=True):

        def of(own, x=x):
            value, (gradient, _, _) = total(x[None], own[None], found.loadings.numpy(), found.bias.numpy())
            return value, gradient[0]

        best = minimize(of, np.ones(2), jac=True, method="BFGS", options={"gtol": 1e-10}).x
        np.testing.assert_allclose(code, best, atol=1e-4)
    means = found.means(torch.tensor([[0.5, -1.0]], dtype=torch.float64)).numpy()
    z = np.array([0.5, -1.0]) @ found.loadings.numpy() + found.bias.numpy()
    np.testing.assert_allclose(means[0], 1 / (1 + np.exp(-z)))


def test_no_step_raises_a_row_s_loss() -> None:
    """From far away, where a whole Newton step overshoots; in blocks of rows as in one."""
    design, x = torch.tensor(DRAW.normal(size=(6, 2))), torch.tensor((X > 0.5).astype(float))
    weights = torch.tensor(30 * DRAW.normal(size=(15, 2)))

    def losses(own: torch.Tensor) -> torch.Tensor:
        z = own @ design.T
        return (torch.nn.functional.softplus(z) - x * z).sum(1) + RIDGE / 2 * own.square().sum(1)

    before = losses(weights)
    for _ in range(20):
        weights = newton(x, design, weights, RIDGE)
        after = losses(weights)
        assert (after <= before + 1e-12).all()
        before = after
    slope = (torch.sigmoid(weights @ design.T) - x) @ design + RIDGE * weights
    assert slope.abs().max() < 1e-8


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = logistic_pca(torch.tensor(X), 2, ridge=RIDGE)
    monkeypatch.setattr("harmonium.recipes.shared.logistic_pca.BLOCK", 150)
    parts = logistic_pca(torch.tensor(X), 2, ridge=RIDGE)
    torch.testing.assert_close(parts.loadings, whole.loadings)


def test_a_linear_code_of_probabilities_is_found_again() -> None:
    """Probabilities that two numbers give through a sigmoid come back better than from PCA."""
    p = 1 / (1 + np.exp(-DRAW.normal(size=(200, 2)) @ DRAW.normal(size=(2, 12)) * 3))
    found = logistic_pca(torch.tensor(p), 2, ridge=1e-4, iterations=100)
    made = found.means(found.codes(torch.tensor(p))).numpy()
    centred = p - p.mean(0)
    residual = (np.linalg.svd(centred, compute_uv=False)[2:] ** 2).sum() / len(p)
    assert ((made - p) ** 2).sum(1).mean() < 0.05 * residual

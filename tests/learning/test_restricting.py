"""A bound on the gradient of each hidden unit, against plain arithmetic."""

import warnings

import numpy as np
import pytest
import torch

import harmonium as hm


def test_long_columns_are_shortened_and_other_gradients_cut() -> None:
    rbm = hm.RBM(hm.Gaussian(3), hm.Bernoulli(4))
    found = {name: torch.randn(p.shape, generator=torch.Generator().manual_seed(0)) for name, p in rbm.named_parameters()}
    found["coupling.weight"][:, 0] *= 0.01
    found["coupling.weight"][:, 1] = 0
    for name, parameter in rbm.named_parameters():
        parameter.grad = found[name].clone()
    hm.learning.RestrictedGradient(0.5).gradient(rbm, None, {})
    columns = found["coupling.weight"].numpy()
    lengths = np.sqrt((columns**2).sum(0))
    expected = columns * np.where(lengths > 0.5, 0.5 / np.maximum(lengths, 1e-9), 1)
    np.testing.assert_allclose(rbm.coupling.weight.grad.numpy(), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(rbm.hidden.bias.grad.numpy(), np.clip(found["hidden.bias"].numpy(), -0.5, 0.5))
    np.testing.assert_allclose(rbm.visible.log_variance.grad.numpy(), np.clip(found["visible.log_variance"].numpy(), -0.5, 0.5))


def test_no_case_moves_the_weights_by_more_than_the_bound() -> None:
    rows = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    rows[3] = 1e4
    rbm = hm.RBM(hm.Gaussian(5, variance=1.0), hm.Bernoulli(3))
    before = rbm.coupling.weight.detach().clone()
    restricted = hm.learning.RestrictedGradient(0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hm.Advice)  # of a fixed variance that does not suit such a case, which is the point
        hm.fit(rbm, rows, optimizer=lambda groups: torch.optim.SGD(groups, lr=1.0), transforms=[restricted], standardise=False, epochs=1)
    moved = (rbm.coupling.weight.detach() - before).norm(dim=0)
    assert bool((moved <= 0.2 * (1 + 1e-5)).all())
    assert bool((moved > 0.19).all())


@pytest.mark.parametrize("bound", [0, -1, float("inf"), float("nan"), "0.3"])
def test_a_bound_is_a_number_above_zero(bound: object) -> None:
    with pytest.raises((ValueError, TypeError), match="number"):
        hm.learning.RestrictedGradient(bound)


@pytest.mark.parametrize(
    "model",
    [
        lambda: hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(2)]),
        lambda: hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.LowRank(6, 4, rank=2)),
        lambda: hm.RBM(hm.Bernoulli((1, 2, 3)), hm.Bernoulli((2, 1, 2)), hm.Convolutional((1, 2, 3), channels=2, kernel=2)),
    ],
    ids=["deep", "low rank", "convolutional"],
)
def test_weights_that_are_no_columns_of_hidden_units_are_refused(model: object) -> None:
    found = model()
    rows = torch.eye(6).reshape(6, *found.visible.shape)
    with pytest.raises(TypeError, match=r"dense coupling, found (Chain|LowRank|Convolutional)"):
        hm.fit(found, rows, transforms=[hm.learning.RestrictedGradient(0.5)], epochs=1, progress=False)

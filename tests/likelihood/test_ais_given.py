"""Annealed importance sampling where the partition function depends on the case, against listing the states."""

import pytest
import torch

import harmonium as hm
from harmonium.units import NOTHING, Given
from tests.models.machines import machine

BETAS = 400


def agrees(rbm, given):
    found = hm.likelihood.ais(rbm, chains=400, betas=BETAS, seed=1, given=given)
    exact = hm.likelihood.exact_log_z(rbm, given=given)
    assert abs(found.log_z - exact) <= 3.5 * found.standard_error + 1e-6
    assert found.standard_error < 0.1
    return exact


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian", "softmax", "gaussian_bernoulli"])
def test_absent_units(visible):
    rbm = machine(visible, "bernoulli", seed=8)
    present = torch.ones(rbm.visible.shape, dtype=torch.bool)
    whole = agrees(rbm, NOTHING)
    present[: 3 if visible == "softmax" else 1] = False
    assert abs(agrees(rbm, Given(present=present)) - whole) > 0.1


def test_a_context():
    rbm = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4), hm.Conditional(hm.Dense(5, 4, scale=0.8, seed=3), 2)).double()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64))
    values = {agrees(rbm, Given(context=torch.tensor(c, dtype=torch.float64))) for c in ([0.0, 0.0], [1.0, -1.0], [0.5, 2.0])}
    assert len(values) == 3


def test_the_length_of_a_document():
    rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Bernoulli(3)).double()
    with torch.no_grad():
        rbm.coupling.weight.normal_(generator=torch.Generator().manual_seed(5))
    for length in (1, 3, 7):
        agrees(rbm, Given(length=torch.tensor(length)))

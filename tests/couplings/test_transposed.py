"""A coupling seen from the other side is its matrix transposed, and of the same tensors."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.couplings import Transposed
from harmonium.units import Given

from . import checks

BASES = [lambda: hm.Dense(3, 2), lambda: hm.LowRank((2, 3), 4, rank=2), lambda: hm.Convolutional((2, 6), 3, kernel=3, stride=2, padding=1)]


@pytest.mark.parametrize("make", BASES)
@pytest.mark.parametrize("leading", checks.LEADING)
def test_the_form_is_transposed(make, leading):
    base = checks.randomised(make())
    size = int(np.prod(base.visible))
    matrix = np.array([base.to_hidden(row.reshape(base.visible)).detach().numpy().ravel() for row in torch.eye(size, dtype=torch.float64)])
    coupling = Transposed(base)
    assert coupling.visible == base.hidden
    checks.is_bilinear_in(coupling, matrix.T, leading)
    checks.has_the_gradient_of_its_interaction(coupling, leading)
    assert {id(p) for p in coupling.parameters()} == {id(p) for p in base.parameters()}


def test_dynamic_biases_change_sides():
    base = checks.randomised(hm.Conditional(hm.Dense(3, 2), 2))
    coupling, given = Transposed(base), Given(context=torch.tensor([[0.5, -1.0]], dtype=torch.float64).expand(4, 2))
    s_v, s_h, _ = checks.statistics(base, (4,))
    torch.testing.assert_close(coupling.interaction(s_h, s_v, given), base.interaction(s_v, s_h, given))
    checks.has_the_gradient_of_its_interaction(coupling, (4,), given)


def test_scales_change_sides():
    base = hm.LowRank(3, 2, rank=1)
    rows, columns = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 7.0])
    assert torch.equal(Transposed(base).scales(columns, rows)["coupling.left"], base.scales(rows, columns)["left"])


def test_saved_and_loaded(tmp_path):
    rbm = checks.machine(hm.Bernoulli(2), hm.Bernoulli(3), Transposed(hm.Dense(3, 2)))
    checks.round_trip(rbm, tmp_path / "rbm", checks.states(rbm.visible, (5,)))

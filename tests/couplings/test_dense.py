"""The dense coupling against sums written out over its weights."""

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import close

SHAPES = [((3,), (2,)), ((2, 3), (4,)), ((3,), (2, 2)), ((2, 3), (2, 2))]


@pytest.mark.parametrize("leading", [(), (5,), (2, 3)])
@pytest.mark.parametrize(("visible", "hidden"), SHAPES)
def test_inputs_interaction_and_gradient(visible, hidden, leading):
    draw = np.random.default_rng(1)
    coupling = hm.Dense(visible, hidden).double()
    weight = draw.normal(size=coupling.weight.shape)
    coupling.weight.data = torch.tensor(weight)
    s_v, s_h, weights = draw.normal(size=(*leading, *visible)), draw.normal(size=(*leading, *hidden)), draw.uniform(size=leading)
    rows_v, rows_h = s_v.reshape(-1, weight.shape[0]), s_h.reshape(-1, weight.shape[1])
    close(coupling.to_hidden(torch.tensor(s_v)), np.einsum("ni,ij->nj", rows_v, weight).reshape(*leading, *hidden), 1e-12)
    close(coupling.to_visible(torch.tensor(s_h)), np.einsum("nj,ij->ni", rows_h, weight).reshape(*leading, *visible), 1e-12)
    close(
        coupling.interaction(torch.tensor(s_v), torch.tensor(s_h)), np.einsum("ni,ij,nj->n", rows_v, weight, rows_h).reshape(leading), 1e-12
    )
    expected = -np.einsum("ni,n,nj->ij", rows_v, weights.reshape(-1), rows_h)
    settings = {"weights": torch.tensor(weights), "scale": 0.5}
    coupling.accumulate_gradient(torch.tensor(s_v), torch.tensor(s_h), fresh=False, **settings)
    close(coupling.weight.grad, 0.5 * expected, 1e-12)
    coupling.accumulate_gradient(torch.tensor(s_v), torch.tensor(s_h), fresh=False, **settings)
    close(coupling.weight.grad, expected, 1e-12)
    coupling.weight.grad.fill_(torch.nan)
    coupling.accumulate_gradient(torch.tensor(s_v), torch.tensor(s_h), fresh=True, **settings)
    close(coupling.weight.grad, 0.5 * expected, 1e-12)


def test_weights_are_drawn_as_hinton_says_by_the_seed_alone():
    weight = hm.Dense(300, 200, seed=1).weight
    assert abs(weight.mean().item()) < 4 * 0.01 / np.sqrt(60000)
    assert weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert torch.equal(weight, hm.Dense(300, 200, seed=1).weight)
    assert not torch.equal(weight, hm.Dense(300, 200, seed=2).weight)
    assert not hm.Dense(3, 2, scale=0.0).weight.any()

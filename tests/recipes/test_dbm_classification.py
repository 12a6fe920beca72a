"""The deep Boltzmann machine that takes grey levels."""

import torch

import harmonium as hm
from harmonium.recipes.dbm.classification import of_grey_levels


def test_it_is_the_same_machine_of_binary_images() -> None:
    layers = [hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)]
    dbm = hm.DBM(layers, [hm.Dense(6, 4, scale=1.0, seed=1), hm.Dense(4, 3, scale=1.0, seed=2)])
    with torch.no_grad():
        dbm.visible.bias.copy_(torch.linspace(-1, 1, 6))
    other, v = of_grey_levels(dbm), torch.eye(6)
    for one, two in zip(dbm.hidden_mean(v), other.hidden_mean(v), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(other.visible.bias, dbm.visible.bias)
    grey = torch.full((2, 6), 51, dtype=torch.uint8)
    assert torch.allclose(hm.nets.dbm_inputs(other, grey)[:, :6], torch.tensor(0.2))

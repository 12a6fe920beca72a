"""An RBM turned upside down is the same machine, and a tight second layer."""

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models import swap_layers
from tests import oracle
from tests.models.machines import machine, plain


@pytest.mark.parametrize("pair", [("bernoulli", "bernoulli"), ("softmax", "bernoulli"), ("bernoulli", "gaussian"), ("spin", "binomial")])
def test_the_joint_is_the_same(pair: tuple[str, str]) -> None:
    rbm = machine(*pair, seed=3)
    over = swap_layers(rbm)
    generator = torch.Generator().manual_seed(0)
    v = rbm.visible.sample(rbm.visible.zero_input(20), generator=generator)
    h = rbm.sample_hidden(v, generator=generator)
    torch.testing.assert_close(over.energy(h, v), rbm.energy(v, h), rtol=0, atol=1e-10)


def test_any_wiring_is_turned_with_copies_of_its_tensors() -> None:
    for coupling, shape in ((hm.LowRank(4, 3, rank=2, scale=1.0), 4), (hm.Convolutional((2, 4), 3, kernel=2, scale=1.0), (2, 4))):
        rbm = hm.RBM(hm.Bernoulli(shape), hm.Bernoulli(coupling.hidden), coupling)
        over, generator = swap_layers(rbm), torch.Generator().manual_seed(0)
        v = rbm.visible.sample(rbm.visible.zero_input(20), generator=generator)
        h = rbm.sample_hidden(v, generator=generator)
        torch.testing.assert_close(over.energy(h, v), rbm.energy(v, h))
        assert not {id(p) for p in over.parameters()} & {id(p) for p in rbm.parameters()}


def tight(extra: int, scale: float = 0.01) -> tuple[hm.RBM, hm.DBN]:
    rbm = machine("bernoulli", "bernoulli", seed=5)
    return rbm, hm.DBN([rbm, swap_layers(rbm, extra=extra, scale=scale)])


def test_the_belief_net_of_the_two_has_the_first_ones_likelihood_and_a_tight_bound() -> None:
    rbm, net = tight(extra=0)
    data = rbm.visible.states(torch.arange(2 ** rbm.visible.shape[0]))
    bound = hm.likelihood.dbn_bound(net, data, log_z=hm.likelihood.exact_log_z(net.top), samples=3, seed=1)
    exact = oracle.log_likelihood(plain(rbm), data.numpy())
    np.testing.assert_allclose(bound.values.numpy(), exact, atol=1e-8)


def test_extra_units_of_no_weight_change_nothing_and_are_counted() -> None:
    rbm, net = tight(extra=3, scale=0.0)
    assert net.top.hidden.shape == (rbm.visible.shape[0] + 3,)
    data = rbm.visible.states(torch.arange(2 ** rbm.visible.shape[0]))
    bound = hm.likelihood.dbn_bound(net, data, log_z=hm.likelihood.exact_log_z(net.top), samples=3, seed=1)
    np.testing.assert_allclose(bound.values.numpy(), oracle.log_likelihood(plain(rbm), data.numpy()), atol=1e-8)
    small = tight(extra=3)[1].top.coupling.weight[:, rbm.visible.shape[0] :]
    assert 0 < small.abs().max().item() < 0.1


def test_it_shares_no_tensor_with_the_machine_it_came_from() -> None:
    rbm = machine("bernoulli", "bernoulli", seed=5)
    over, before = swap_layers(rbm), rbm.coupling.weight.clone()
    with torch.no_grad():
        for parameter in over.parameters():
            parameter.add_(1.0)
    assert torch.equal(rbm.coupling.weight, before)


@pytest.mark.parametrize(
    ("rbm", "extra", "said"),
    [
        (hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), hm.LowRank(4, 3, rank=2)), 1, "dense"),
        (hm.RBM(hm.ReplicatedSoftmax(4), hm.Bernoulli(3)), 0, "documents"),
        (hm.RBM(hm.Gaussian(4), hm.Bernoulli(3)), 2, "flat Bernoulli"),
        (hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3)), -1, "flat Bernoulli"),
    ],
)
def test_what_it_cannot_turn_is_refused(rbm: hm.RBM, extra: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        swap_layers(rbm, extra=extra)

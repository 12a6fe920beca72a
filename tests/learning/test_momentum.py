"""The default optimiser is torch.optim.SGD to the last bit."""

from functools import partial

import pytest
import torch

import harmonium as hm
from harmonium.learning.loop import momentum

DATA = (torch.rand(90, 20, generator=torch.Generator().manual_seed(0)) < 0.4).float()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("double", [False, True])
def test_it_steps_as_torch_does(momentum: float, double: bool) -> None:
    machines = []
    for kind in (hm.MomentumSGD, partial(torch.optim.SGD, fused=True)):
        rbm = hm.RBM(hm.Bernoulli(20), hm.Bernoulli(30), seed=1)
        rbm = rbm.double() if double else rbm
        made = partial(kind, lr=0.05, momentum=momentum)
        hm.fit(rbm, DATA, epochs=4, batch_size=20, optimizer=made, weight_cost=0.01, seed=3, progress=False)
        machines.append(rbm)
    for name, tensor in machines[0].state_dict().items():
        assert torch.equal(tensor, machines[1].state_dict()[name]), name


def test_without_the_fused_kernel_torch_takes_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []
    for fused in (True, False):
        if not fused:
            monkeypatch.setattr(momentum, "FUSED", None)
        rbm = hm.RBM(hm.Bernoulli(20), hm.Bernoulli(30), seed=1)
        hm.fit(rbm, DATA, epochs=2, batch_size=20, optimizer=partial(hm.MomentumSGD, lr=0.05, momentum=0.9), seed=3, progress=False)
        weights.append(rbm.coupling.weight.detach())
    assert torch.equal(*weights)


def test_it_computes_the_rule_it_states() -> None:
    theta = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = hm.MomentumSGD([theta], lr=0.1, momentum=0.5, weight_decay=0.2)
    expected, velocity = theta.detach().clone().double(), torch.zeros(2, dtype=torch.float64)
    for gradient in (torch.tensor([1.0, 0.0]), torch.tensor([-0.5, 3.0])):
        theta.grad = gradient
        optimizer.step()
        velocity = 0.5 * velocity + gradient.double() + 0.2 * expected
        expected = expected - 0.1 * velocity
    torch.testing.assert_close(theta.detach().double(), expected, rtol=1e-6, atol=1e-6)

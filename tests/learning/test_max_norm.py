"""A bound on the weights into hidden units, against a loop of its own."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import harmonium as hm

DRAW = np.random.default_rng(0)
X, Y = torch.tensor(DRAW.normal(size=(40, 16))), torch.tensor(DRAW.integers(3, size=40))
SGD = partial(torch.optim.SGD, lr=2.0, momentum=0.5)
BOUND = 0.9


def net(seed: int = 0, convolution: bool = True) -> nn.Sequential:
    draw = np.random.default_rng(seed)
    image = [nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Flatten()]
    found = nn.Sequential(*(image if convolution else [nn.Linear(16, 18)]), nn.Linear(18, 5), nn.Sigmoid(), nn.Linear(5, 3)).double()
    for parameter in found.parameters():
        parameter.data = torch.tensor(draw.normal(size=parameter.shape) * 0.5)
    return found


def tune(net: nn.Module, **settings: object) -> hm.TrainingState:
    common = {"batch_size": 40, "epochs": 6, "head_epochs": 0, "optimizer": SGD, "progress": False}
    return hm.fine_tune(net, X, Y, **{**common, **settings})  # type: ignore[arg-type]


def norms(weight: torch.Tensor) -> np.ndarray:
    return np.sqrt((weight.detach().numpy().reshape(len(weight), -1) ** 2).sum(1))


def test_weights_into_hidden_units_are_rescaled_after_each_update() -> None:
    found, expected = net(), net()
    state = tune(found, max_norm=BOUND)
    optimizer = SGD(expected.parameters())
    clipped = 0
    for _ in range(6):
        optimizer.zero_grad()
        F.cross_entropy(expected(X), Y).backward()
        optimizer.step()
        for module in (expected[1], expected[4]):
            lengths = norms(module.weight)
            clipped += int((lengths > BOUND).sum())
            factors = torch.tensor(np.where(lengths > BOUND, BOUND / lengths, 1.0))
            module.weight.data *= factors.reshape(-1, *[1] * (module.weight.dim() - 1))
    assert clipped > 10
    for name, parameter in expected.named_parameters():
        torch.testing.assert_close(found.get_parameter(name), parameter, rtol=1e-9, atol=1e-12)
    assert norms(found[1].weight).max() <= BOUND * (1 + 1e-12)
    assert norms(found[-1].weight).max() > BOUND  # the outputs are no hidden units
    assert state.settings["max_norm"] == BOUND


def test_short_weights_keep_their_bits_and_frozen_ones_their_length() -> None:
    found, expected = net(), net()
    tune(found, max_norm=1e6)
    tune(expected)
    assert all(torch.equal(one, other) for one, other in zip(found.parameters(), expected.parameters(), strict=True))
    frozen = net()
    before = copy.deepcopy(frozen[4].weight)
    tune(frozen, max_norm=0.1, epochs=2, head_epochs=2)
    assert torch.equal(frozen[4].weight, before)
    tune(frozen, max_norm=0.1, epochs=3, head_epochs=2)
    assert norms(frozen[4].weight).max() == pytest.approx(0.1)


@pytest.mark.parametrize("convolution", [True, False])
def test_replicas_have_it_too(convolution: bool) -> None:
    """Stacked by hand, and by vmap."""
    nets = [net(seed, convolution) for seed in range(3)]
    many = hm.Replicas(nets)
    tune(many, max_norm=BOUND, optimizer=partial(hm.ReplicaSGD, lr=2.0, momentum=0.5), seed=[0, 0, 0])
    for replica, alone in enumerate(nets):
        tune(alone, max_norm=BOUND)
        for name, parameter in alone.named_parameters():
            torch.testing.assert_close(many.take(replica).get_parameter(name), parameter, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan, math.inf])
def test_no_bound_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match=f"above 0, found {bound}"):
        tune(net(), max_norm=bound)


def test_a_net_without_hidden_units_is_refused() -> None:
    with pytest.raises(ValueError, match="below its last"):
        hm.fine_tune(nn.Sequential(nn.Linear(16, 3)).double(), X, Y, max_norm=1.0, progress=False)


@pytest.mark.parametrize("bound", ["3", [1.0, 2.0]])
def test_a_bound_that_is_no_number_is_refused(bound: object) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"max_norm= is the largest norm .* above 0, found"):
        hm.fine_tune(net, torch.eye(6), torch.arange(6) % 2, max_norm=bound, epochs=1, progress=False)  # type: ignore[arg-type]

"""Averaged weights of fine-tuning: beside the net's own, or in their place at the end."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import harmonium as hm

DRAW = np.random.default_rng(0)
X, Y = torch.tensor(DRAW.random((60, 8))), torch.tensor(DRAW.integers(3, size=60))
SHARE = 0.4


def net() -> nn.Sequential:
    rbm = hm.RBM(hm.Bernoulli(8, values="probabilities"), hm.Bernoulli(5), hm.Dense(8, 5, scale=1.0)).double()
    return hm.nets.classifier(rbm, 3, dropout=0.2)


def tune(net: nn.Module, **settings: object) -> hm.TrainingState:
    common = {"batch_size": 20, "epochs": 6, "head_epochs": 1, "optimizer": partial(torch.optim.SGD, lr=0.5), "progress": False}
    return hm.fine_tune(net, X[:40], Y[:40], **{**common, **settings})  # type: ignore[arg-type]


class Recorded(hm.Callback):
    """The parameters after every step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, np.ndarray]] = []

    def on_step(self, state: hm.TrainingState) -> None:
        self.steps.append({name: p.detach().numpy().copy() for name, p in state.model.named_parameters()})


def running(start: dict[str, np.ndarray], steps: list[dict[str, np.ndarray]], share: float) -> dict[str, np.ndarray]:
    """m_t = m_(t-1) + (θ_t - m_(t-1)) / (share t + 1 - share)."""
    found = dict(start)
    for number, step in enumerate(steps, 1):
        found = {name: mean + (step[name] - mean) / (share * number + 1 - share) for name, mean in found.items()}
    return found


def values(net: nn.Module) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy().copy() for name, parameter in net.named_parameters()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], rtol: float = 0.0) -> bool:
    return all(np.allclose(one[name], other[name], rtol=rtol, atol=0.0) for name in other)


def test_the_average_stands_beside_the_net() -> None:
    found, plain, recorded = net(), net(), Recorded()
    start = values(found)
    state = tune(found, averaging=SHARE, callbacks=[recorded])
    tune(plain)
    assert same(values(found), values(plain))
    expected = running(start, recorded.steps, SHARE)
    assert same(values(state.averaged()), expected, 1e-9)
    assert not same(values(found), expected, 1e-3)
    assert not state.averaged().training


def test_the_net_ends_with_it_where_that_is_asked_for() -> None:
    found, recorded = net(), Recorded()
    start = values(found)
    tune(found, averaging=SHARE, averaged=True, callbacks=[recorded])
    assert same(values(found), running(start, recorded.steps, SHARE), 1e-9)


def test_validation_is_of_the_average_then_and_keeps_the_best_one() -> None:
    found, recorded = net(), Recorded()
    start = values(found)
    state = tune(found, averaging=SHARE, averaged=True, epochs=8, validation=(X[40:], Y[40:]), callbacks=[recorded])
    again, losses, averages = net(), [], []
    for epoch in range(1, 9):
        averages.append(running(start, recorded.steps[: 2 * epoch], SHARE))
        for name, parameter in again.named_parameters():
            parameter.data = torch.tensor(averages[-1][name])
        losses.append(nn.functional.cross_entropy(hm.predict(again, X[40:]), Y[40:]).item())
    np.testing.assert_allclose([row["validation_loss"] for row in state.history], losses, rtol=1e-9)
    errors = [row["validation_error_percent"] for row in state.history]
    assert state.best_epoch == 1 + int(np.argmin(errors))
    assert same(values(found), averages[state.best_epoch - 1], 1e-9)


@pytest.mark.parametrize("held", [True, False])
def test_learning_resumes_from_the_weights_that_learn(held: bool, tmp_path: Path) -> None:
    whole, found = net(), net()
    settings = {"averaging": SHARE, "averaged": True, "validation": (X[40:], Y[40:]) if held else None}
    tune(whole, **settings)
    tune(found, **settings, epochs=3, checkpoint=tmp_path / "state")
    found = net()
    tune(found, **settings, checkpoint=tmp_path / "state")
    assert same(values(found), values(whole))


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(ValueError, match="give averaging="):
        tune(net(), averaged=True)
    with pytest.raises(ValueError, match="above 0 and at most 1, found 2"):
        tune(net(), averaging=2)


@pytest.mark.parametrize("held", [True, False])
def test_replicas_average_as_alone(held: bool) -> None:
    nets = [nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3)).double() for _ in range(3)]
    draw = np.random.default_rng(1)
    for parameter in nn.ModuleList(nets).parameters():
        parameter.data = torch.tensor(draw.normal(size=parameter.shape))
    settings = {"averaging": SHARE, "averaged": True, "validation": (X[40:], Y[40:]) if held else None}
    many, rates = hm.Replicas(nets), partial(hm.ReplicaSGD, lr=0.5)
    state = tune(many, **settings, optimizer=rates, seed=[0, 0, 0])
    few = state.chosen([2, 0])
    for replica, alone in enumerate(nets):
        expected = tune(alone, **settings)
        assert same(values(many.take(replica)), values(alone), 1e-7)
        assert same(values(state.averaged().take(replica)), values(expected.averaged()), 1e-7)
        taken = state.take(replica)
        assert same(values(taken.averaged()), values(expected.averaged()), 1e-7)
        assert taken.slots["averaging"]["steps"] == 12
    assert same(values(few.averaged().take(0)), values(state.averaged().take(2)))

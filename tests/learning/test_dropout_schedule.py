"""The schedule of the dropout paper, and what its rates and weights are in nets of `Dropout`."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import harmonium as hm

P = 0.4
DRAW = np.random.default_rng(0)
X, Y = DRAW.random((30, 6)), DRAW.integers(3, size=30)
EPOCHS = 6


class Rates(hm.Callback):
    """The rate and the momentum of each epoch."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def on_step(self, state: hm.TrainingState) -> None:
        group = state.optimizer.param_groups[0]
        self.seen.append((group["lr"], group["momentum"]))


def test_the_rate_falls_with_what_the_momentum_leaves() -> None:
    rates = Rates()
    schedule = partial(hm.dropout_schedule, decay=0.9, momentum=(0.5, 0.99), rise=4)
    net = nn.Sequential(nn.Linear(6, 3))
    sgd = partial(torch.optim.SGD, lr=2.0)
    hm.fine_tune(net, X, torch.tensor(Y), optimizer=sgd, schedule=schedule, epochs=EPOCHS, batch_size=30, callbacks=[rates], progress=False)
    momenta = np.interp(np.arange(EPOCHS), [0, 4], [0.5, 0.99])
    np.testing.assert_allclose([each[1] for each in rates.seen], momenta)
    np.testing.assert_allclose([each[0] for each in rates.seen], 2.0 * 0.9 ** np.arange(EPOCHS) * (1 - momenta))


def test_what_is_no_schedule_is_refused() -> None:
    sgd = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    with pytest.raises(ValueError, match="momenta from 0 to below 1"):
        hm.dropout_schedule(sgd, momentum=(0.5, 1.0))
    with pytest.raises(ValueError, match="at least one epoch, found rise=0"):
        hm.dropout_schedule(sgd, rise=0)


class Masks:
    """The cases of each update, and what each dropout module kept of them."""

    def __init__(self, net: nn.Module) -> None:
        self.seen: list[list[np.ndarray]] = []
        self.cases: list[np.ndarray] = []
        for module in net.modules():
            if isinstance(module, hm.nets.Dropout):
                module.register_forward_hook(self.note)

    def note(self, module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        if module.training:
            if len(self.seen) == 0 or len(self.seen[-1]) == 2:
                self.seen.append([])
                self.cases.append((inputs[0].numpy()[:, None] == X).all(-1).argmax(1))
            self.seen[-1].append((output != 0).detach().numpy().astype(float))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def published(w: list[np.ndarray], b: list[np.ndarray], masks: list[list[np.ndarray]], rows: list[np.ndarray], rate: float) -> None:
    """Training as Hinton et al. (2012) describe it: units are dropped, those that are kept are not scaled. In place."""
    speeds = [np.zeros_like(each) for each in (*w, *b)]
    for (first, second), chosen in zip(masks, rows, strict=True):
        x = X[chosen] * first
        h = sigmoid(x @ w[0] + b[0])
        dropped = h * second
        scores = dropped @ w[1] + b[1]
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(p)), Y[chosen]] -= 1
        p /= len(p)
        back = (p @ w[1].T) * second * h * (1 - h)
        slopes = [x.T @ back, dropped.T @ p, back.sum(0), p.sum(0)]
        for each, speed, slope in zip((*w, *b), speeds, slopes, strict=True):
            speed *= 0.5
            speed -= rate * slope
            each += speed


def test_it_trains_the_published_function_whose_weights_are_scaled() -> None:
    """W / (1 - p) there at a rate ε is W here at (1 - p)² ε; the mean net of W (1 - p) there is the net as it is here."""
    rbm = hm.RBM(hm.Bernoulli(6, values="probabilities"), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0)).double()
    net = hm.nets.classifier(rbm, classes=3, seed=1, scale=0.5, dropout=P, input_dropout=P)
    linear = [module for module in net if isinstance(module, nn.Linear)]
    w = [module.weight.detach().numpy().T / (1 - P) for module in linear]
    b = [module.bias.detach().numpy().copy() for module in linear]
    masks, rate = Masks(net), 0.7

    def made(groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        matrices = [group | {"lr": rate * (1 - P) ** 2} for group in groups if group["params"][0].dim() > 1]  # type: ignore[index]
        return torch.optim.SGD([*matrices, *(group for group in groups if group["params"][0].dim() == 1)], lr=rate, momentum=0.5)  # type: ignore[index]

    hm.fine_tune(net, X, torch.tensor(Y), optimizer=made, batch_size=10, epochs=3, head_epochs=0, progress=False)
    assert len(masks.seen) == len(masks.cases) == 9
    published(w, b, masks.seen, masks.cases, rate)
    for module, weight, bias in zip(linear, w, b, strict=True):
        np.testing.assert_allclose(module.weight.detach().numpy().T, weight * (1 - P), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(module.bias.detach().numpy(), bias, rtol=1e-9, atol=1e-12)
    mean_net = sigmoid(X @ (w[0] * (1 - P)) + b[0]) @ (w[1] * (1 - P)) + b[1]
    np.testing.assert_allclose(hm.predict(net, X).numpy(), mean_net, rtol=1e-9)


def test_replicas_follow_it_each_at_a_rate_of_its_own() -> None:
    nets = [hm.nets.classifier(hm.RBM(hm.Bernoulli(6, values="probabilities"), 4, seed=seed).double(), 3) for seed in range(2)]
    many, rates = hm.Replicas(nets), [0.5, 2.0]
    settings = {"schedule": partial(hm.dropout_schedule, decay=0.9, rise=4), "epochs": 6, "batch_size": 30, "progress": False}
    hm.fine_tune(many, X, torch.tensor(Y), optimizer=partial(hm.ReplicaSGD, lr=rates), seed=[0, 0], **settings)
    for replica, net in enumerate(nets):
        hm.fine_tune(net, X, torch.tensor(Y), optimizer=partial(torch.optim.SGD, lr=rates[replica]), **settings)
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(many.take(replica).get_parameter(name), parameter, rtol=1e-9, atol=1e-12)

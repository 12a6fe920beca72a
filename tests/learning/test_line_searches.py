"""Optimisers that search along lines on each batch: conjugate gradients and L-BFGS."""

import itertools
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import optimize, special
from torch import nn

import harmonium as hm

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(90, 5))
Y = (X @ DRAW.normal(size=(5, 3)) + 2 * DRAW.normal(size=(90, 3))).argmax(1)
COST = 0.02
LBFGS = partial(torch.optim.LBFGS, max_iter=3, line_search_fn="strong_wolfe")
SEARCHES = {"conjugate gradients": hm.ConjugateGradients, "l-bfgs": LBFGS}


def softmax_net() -> nn.Sequential:
    found = nn.Sequential(nn.Linear(5, 3)).double()
    for parameter in found.parameters():
        parameter.data.zero_()
    return found


def deep_net(dropout: float = 0.3) -> nn.Sequential:
    rbms = [hm.RBM(hm.Gaussian(5), hm.Bernoulli(6), hm.Dense(5, 6, scale=0.5)), hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=1)]
    return hm.nets.classifier(hm.DBN(rbms), 3, dropout=dropout)


def tune(net: nn.Module, **settings: object) -> hm.TrainingState:
    common = {"batch_size": 90, "epochs": 3, "head_epochs": 0, "progress": False, "optimizer": hm.ConjugateGradients}
    return hm.fine_tune(net, torch.tensor(X).to(next(net.parameters())), torch.tensor(Y), **{**common, **settings})  # type: ignore[arg-type]


def softmax_minimum(cost: float, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Of Σ w_i (-log p(y_i)) + ½ cost ‖W‖², by SciPy's own gradient-free differences of a convex function."""

    def loss(flat: np.ndarray) -> float:
        w, b = flat[:15].reshape(5, 3), flat[15:]
        log_p = special.log_softmax(X @ w + b, axis=1)
        return float(-(weights * log_p[np.arange(90), Y]).sum() + 0.5 * cost * (w**2).sum())

    found = optimize.minimize(loss, np.zeros(18), method="BFGS", options={"gtol": 1e-6})
    return found.x, float(found.fun)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("optimizer", [partial(hm.ConjugateGradients, searches=200), partial(LBFGS, max_iter=200)])
def test_one_large_batch_reaches_the_minimum(optimizer: object, weighted: bool) -> None:
    weights = DRAW.random(90) if weighted else None
    net = softmax_net()
    tune(net, epochs=1, optimizer=optimizer, weight_cost=COST, sample_weight=weights)
    shares = np.full(90, 1 / 90) if weights is None else weights / weights.sum()
    expected, _ = softmax_minimum(COST, shares)
    flat = np.concatenate([net[0].weight.detach().numpy().T.ravel(), net[0].bias.detach().numpy() - net[0].bias.detach().numpy().mean()])
    expected[15:] -= expected[15:].mean()  # the loss does not depend on it
    np.testing.assert_allclose(flat, expected, atol=2e-4)


def test_three_line_searches_are_those_of_scipy() -> None:
    """The first point, the loss and the gradient are the net's; the searches SciPy's."""
    net = softmax_net()
    tune(net, epochs=1, weight_cost=COST)

    def loss_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = flat[:15].reshape(3, 5), flat[15:]
        log_p = special.log_softmax(X @ w.T + b, axis=1)
        slope = (np.exp(log_p) - np.eye(3)[Y]) / 90
        loss = -log_p[np.arange(90), Y].mean() + 0.5 * COST * (w**2).sum()
        return loss, np.concatenate([(slope.T @ X + COST * w).ravel(), slope.sum(0)])

    expected = optimize.minimize(loss_and_slope, np.zeros(18), jac=True, method="CG", options={"maxiter": 3})
    assert expected.nit == 3
    np.testing.assert_allclose(np.concatenate([p.detach().numpy().ravel() for p in net.parameters()]), expected.x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", SEARCHES)
def test_each_batch_lowers_its_loss_and_the_metrics_count_it_once(name: str) -> None:
    net = deep_net(dropout=0.0)
    start = nn.functional.cross_entropy(hm.predict(net, torch.tensor(X).float()), torch.tensor(Y)).item()
    state = tune(net, epochs=20, optimizer=SEARCHES[name])
    losses = [row["train_loss"] for row in state.history]
    assert losses[0] == pytest.approx(start, rel=1e-5)  # the loss before the first search
    assert losses[-1] < losses[5] < losses[0] - 0.1
    assert state.step == 20
    assert all(0 <= row["train_error_percent"] <= 100 for row in state.history)


def test_the_draws_of_dropout_are_fixed_while_it_searches_on_a_batch() -> None:
    net, masks = deep_net(), []

    def note(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        if module.training:
            masks.append(output == 0)

    next(module for module in net if isinstance(module, hm.nets.Dropout)).register_forward_hook(note)
    counts = []
    tune(net, batch_size=30, epochs=1, callbacks=[Steps(lambda: counts.append(len(masks)))])
    starts = [0, *counts[:-1]]
    assert len(counts) == 3
    assert all(end - start >= 4 for start, end in zip(starts, counts, strict=True))
    for start, end in zip(starts, counts, strict=True):
        assert all(torch.equal(mask, masks[start]) for mask in masks[start:end])
    assert not torch.equal(masks[0], masks[counts[0]])


class Steps(hm.Callback):
    """Calls a function after each update."""

    def __init__(self, function: object) -> None:
        self.function = function

    def on_step(self, state: hm.TrainingState) -> None:
        self.function()  # type: ignore[operator]


@pytest.mark.parametrize("name", SEARCHES)
def test_head_epochs_leave_the_body_alone_to_the_bit(name: str) -> None:
    net = deep_net()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    head = list(before)[-2:]
    tune(net, epochs=2, head_epochs=2, weight_cost=0.1, optimizer=SEARCHES[name], max_norm=0.01)
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]) == (key not in head), key


@pytest.mark.parametrize("at", [2, 5])
@pytest.mark.parametrize("name", SEARCHES)
def test_resumed_it_ends_in_the_same_bits(name: str, at: int, tmp_path: Path) -> None:
    settings = {"batch_size": 30, "epochs": 4, "head_epochs": 1, "optimizer": SEARCHES[name], "weight_cost": 0.01, "averaging": 0.5}
    whole = tune(deep_net(), **settings)

    class Interrupted(RuntimeError):
        pass

    class SavedInside(hm.Callback):
        def on_step(self, state: hm.TrainingState) -> None:
            if state.step == at:
                state.save(tmp_path / "state")
                raise Interrupted

    with pytest.raises(Interrupted):
        tune(deep_net(), **settings, callbacks=[SavedInside()])
    again = tune(deep_net(), **settings, checkpoint=tmp_path / "state")
    for key, value in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[key], value), key
    for key, value in whole.averaged().state_dict().items():
        assert torch.equal(again.averaged().state_dict()[key], value), key


@pytest.mark.parametrize("batch_size", [30, 90])
def test_l_bfgs_begins_anew_on_each_batch_and_goes_on_where_there_is_one(batch_size: int) -> None:
    """Beside the same written out; the order of the cases is found from the batches that the net sees."""
    net, other, seen = softmax_net(), softmax_net(), []
    net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    tune(net, optimizer=LBFGS, batch_size=batch_size, epochs=2)
    batches = [x for before, x in itertools.pairwise([torch.zeros(1, 5), *seen]) if not torch.equal(before, x)]
    assert len(batches) == 2 * 90 // batch_size
    labels = {tuple(row): label for row, label in zip(X.tolist(), Y.tolist(), strict=True)}
    optimizer = LBFGS(other.parameters())
    for x in batches:
        y = torch.tensor([labels[tuple(row)] for row in x.tolist()])

        def loss(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
            optimizer.zero_grad()
            found = nn.functional.cross_entropy(other(x), y)
            found.backward()
            return found

        if batch_size < 90:
            optimizer.state.clear()
        optimizer.step(loss)
    for found, expected in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-6)


def test_lists_in_an_optimisers_state_come_back(tmp_path: Path) -> None:
    state = tune(deep_net(), optimizer=LBFGS, checkpoint=tmp_path / "state")
    again = tune(deep_net(), optimizer=LBFGS, checkpoint=tmp_path / "state")
    own, other = (next(iter(each.optimizer.state.values())) for each in (state, again))
    assert own.keys() == other.keys()
    assert len(own["old_dirs"]) > 1
    for name, value in own.items():
        if isinstance(value, list):
            pairs = zip(value, other[name], strict=True)
            assert all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs), name
        else:
            assert bool(torch.as_tensor(value == other[name]).all()), name


class OfOnesOwn(torch.optim.Optimizer):
    """Halves its step until the loss is lower."""

    def __init__(self, params: object) -> None:
        super().__init__(params, {"weight_decay": 0.0})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: object) -> None:  # type: ignore[override]
        with torch.enable_grad():
            before = float(closure())  # type: ignore[operator]
        learnt = [p for group in self.param_groups for p in group["params"]]
        starts, slopes, size = [p.clone() for p in learnt], [p.grad.clone() for p in learnt], 8.0
        while size > 1e-6:
            for p, start, slope in zip(learnt, starts, slopes, strict=True):
                p.copy_(start - size * slope)
            with torch.enable_grad():
                if float(closure()) < before:  # type: ignore[operator]
                    return
            size /= 2


def test_any_optimiser_that_needs_the_loss_is_taken() -> None:
    state = tune(softmax_net(), epochs=10, optimizer=OfOnesOwn)
    losses = [row["train_loss"] for row in state.history]
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_what_cannot_be_searched_is_refused_by_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"line searches of ConjugateGradients .* leave it out"):
        tune(softmax_net(), capture=True)
    with pytest.raises(ValueError, match=r"at least one line search .*searches=0"):
        tune(softmax_net(), optimizer=partial(hm.ConjugateGradients, searches=0))
    with pytest.raises(ValueError, match="ConjugateGradients has no learning rate to schedule"):
        tune(softmax_net(), schedule=partial(hm.Schedule, lr=lambda epoch: 0.9**epoch))
    with pytest.raises(TypeError, match="LBFGS evaluates the loss at several points"):
        hm.fit(hm.RBM(6, 4), torch.eye(6), optimizer=LBFGS, progress=False)
    with pytest.raises(TypeError, match="ConjugateGradients evaluates the loss at several points"):
        tune(hm.Replicas([softmax_net(), softmax_net()]))
    with pytest.raises(ValueError, match="Invalid learning rate"):
        tune(softmax_net(), optimizer=partial(torch.optim.SGD, lr=-1.0))
    monkeypatch.setattr("harmonium.learning.loop.searched.world_size", lambda: 2)
    with pytest.raises(ValueError, match="ConjugateGradients searches along lines in one process, found 2"):
        tune(softmax_net())


def test_where_no_step_lowers_the_loss_the_weights_stay() -> None:
    """A gradient of the wrong sign: the points that were tried are given up."""
    weights = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer, tried = hm.ConjugateGradients([weights]), []

    def closure() -> torch.Tensor:
        weights.grad = -2 * weights.detach()
        tried.append(weights.detach().clone())
        return weights.square().sum()

    assert optimizer.step(closure) == 5.0
    assert weights.tolist() == [1.0, -2.0]
    assert not torch.equal(tried[-1], weights)


def test_an_optimiser_that_is_made_already_is_refused() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(6, 2))
    made = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(TypeError, match=r"a function that makes the optimiser .* such as partial\(SGD, \.\.\.\)"):
        hm.fine_tune(net, torch.eye(6), torch.arange(6) % 2, optimizer=made, epochs=1, progress=False)
    with pytest.raises(TypeError, match="no optimiser that is made already"):
        hm.fit(hm.RBM(6, 4), torch.eye(6), optimizer=made, epochs=1, progress=False)

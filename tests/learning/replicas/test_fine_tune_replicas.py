"""Nets fine-tuned as replicas learn as they would alone."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import harmonium as hm

REPLICAS, CASES = 4, 53
INPUTS = torch.rand(CASES, 6, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > INPUTS[:, 1]).long() + (INPUTS[:, 2] > 0.7).long()
SEEDS, RATES, COSTS, MOMENTA = [3, 11, 5, 8], [0.01, 0.1, 0.5, 0.2], [0.0, 1e-3, 1e-2, 0.0], [0.0, 0.9, 0.5, 0.9]


def dense(seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))


def other(seed: int) -> nn.Sequential:
    """A net with layers that are no plain products."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten(1), nn.LayerNorm(8), nn.Linear(8, 3))


def of_replica(replica: int) -> partial[hm.MomentumSGD]:
    return partial(hm.MomentumSGD, lr=RATES[replica], momentum=MOMENTA[replica])


EACH = partial(hm.ReplicaSGD, lr=RATES, momentum=MOMENTA)


def close(found: nn.Module, expected: nn.Module, tolerance: float = 1e-5) -> None:
    for (name, one), (_, two) in zip(found.named_parameters(), expected.named_parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=tolerance, rtol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("make", [dense, other])
@pytest.mark.parametrize("epochs", [1, 4])
def test_each_replica_learns_as_alone(make, epochs: int) -> None:
    """With rates, momenta, weight costs, seeds (so orders) and cases of its own; the last batch is short, and the head begins alone."""
    rows = torch.stack([torch.randperm(CASES, generator=torch.Generator().manual_seed(r))[:37] for r in range(REPLICAS)])
    many = hm.Replicas([make(seed) for seed in SEEDS], rows=rows)
    common = {"epochs": epochs, "head_epochs": 1, "batch_size": 10, "progress": False, "validation": (INPUTS, LABELS)}
    state = hm.fine_tune(many, INPUTS, LABELS, optimizer=EACH, weight_cost=COSTS, seed=SEEDS, **common)
    for r, seed in enumerate(SEEDS):
        net = make(seed)
        settings = {"optimizer": of_replica(r), "weight_cost": COSTS[r], "seed": seed}
        alone = hm.fine_tune(net, INPUTS[rows[r]], LABELS[rows[r]], **settings, **common)
        close(many.take(r), net)
        for name in ("train_loss", "train_error_percent", "validation_loss", "validation_error_percent"):
            assert state.history[-1][f"{name}.{r}"] == pytest.approx(alone.history[-1][name], rel=1e-4, abs=1e-4)


def test_one_update_is_that_of_training_alone() -> None:
    many = hm.Replicas([dense(seed) for seed in SEEDS])
    settings = {"epochs": 1, "head_epochs": 0, "batch_size": CASES, "progress": False}
    hm.fine_tune(many, INPUTS, LABELS, optimizer=EACH, weight_cost=COSTS, **settings)
    for r, seed in enumerate(SEEDS):
        net = dense(seed)
        hm.fine_tune(net, INPUTS, LABELS, optimizer=of_replica(r), weight_cost=COSTS[r], seed=r, **settings)
        close(many.take(r), net, 1e-6)


@pytest.mark.parametrize("make", [dense, other])
@pytest.mark.parametrize("optimizer", [EACH, partial(torch.optim.Adam, lr=0.01)])
def test_bfloat16_moves_what_is_learnt_a_little(make, optimizer) -> None:
    weights = []
    for precision in ("bfloat16", "float32"):
        many = hm.Replicas([make(seed) for seed in SEEDS])
        settings = {"epochs": 3, "head_epochs": 1, "batch_size": 10, "progress": False}
        hm.fine_tune(many, INPUTS, LABELS, optimizer=optimizer, seed=SEEDS, precision=precision, **settings)
        weights.append(torch.cat([nn.utils.parameters_to_vector(net.parameters()).detach() for net in many]))
        assert weights[-1].dtype == torch.float32
    moved = (weights[0] - weights[1]).abs()
    assert moved.max() > 0
    assert moved.median() < 2e-3


@pytest.mark.parametrize("optimizer", [partial(hm.ReplicaSGD, lr=1.0), partial(torch.optim.SGD, lr=1.0)])
def test_in_bfloat16_the_factors_of_every_product_are_rounded_and_nothing_else(optimizer) -> None:
    """One update of a net with one hidden layer, beside the same written out."""

    def short(values: torch.Tensor) -> torch.Tensor:
        return values.bfloat16().double()

    def net(seed: int) -> nn.Sequential:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 3))

    nets = [net(seed) for seed in SEEDS]
    many = hm.Replicas(nets)
    settings = {"epochs": 1, "head_epochs": 0, "batch_size": CASES, "progress": False, "precision": "bfloat16"}
    hm.fine_tune(many, INPUTS, LABELS, optimizer=optimizer, **settings)
    for before, after in zip(nets, many, strict=True):
        (w1, b1, w2, b2), x = (each.detach() for each in before.parameters()), INPUTS
        h = torch.sigmoid(short(short(x) @ short(w1).T).float() + b1)
        p = torch.softmax(short(short(h) @ short(w2).T).float() + b2, 1)
        slope = (p - nn.functional.one_hot(LABELS, 3)) / CASES
        below = short(short(slope) @ short(w2)).float() * h * (1 - h)
        expected = [short(short(below).T @ short(x)), below.sum(0), short(short(slope).T @ short(h)), slope.sum(0)]
        for old, new, gradient in zip(before.parameters(), after.parameters(), expected, strict=True):
            error = ((old - new).detach() - gradient).abs()
            assert error.median() < 1e-6  # of a float32 difference: a rounding that is left out moves most elements by more than 1e-5
            assert error.max() < 1e-3


def test_another_loss_and_any_elementwise_optimiser() -> None:
    targets = INPUTS[:, :3] ** 2
    settings = {"loss": nn.functional.mse_loss, "epochs": 3, "batch_size": 10, "progress": False, "weight_cost": 1e-3}
    adam = partial(torch.optim.Adam, lr=0.01)
    many = hm.Replicas([dense(seed) for seed in SEEDS])
    hm.fine_tune(many, INPUTS, targets, optimizer=adam, **settings)
    net = dense(SEEDS[2])
    hm.fine_tune(net, INPUTS, targets, optimizer=adam, seed=2, **settings)
    close(many.take(2), net, 1e-4)
    with pytest.raises(ValueError, match=r"takes hm\.ReplicaSGD, found Adam"):
        hm.fine_tune(many, INPUTS, targets, optimizer=adam, **{**settings, "weight_cost": COSTS})


@pytest.mark.parametrize("momentum", [0.0, 0.9, MOMENTA])
@pytest.mark.parametrize("cost", [0.0, 0.01, COSTS])
def test_gradients_as_products_and_in_memory_are_the_same(momentum, cost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a layer that the net has twice."""

    def twice(seed: int) -> nn.Sequential:
        first, *others = dense(seed)
        layer = nn.Linear(5, 5)
        return nn.Sequential(first, layer, nn.Tanh(), layer, *others)

    nets, found = [twice(seed) for seed in SEEDS], []
    for as_products in (True, False):
        if not as_products:
            monkeypatch.setattr("harmonium.learning.replicas.fine_tune_replicas.LinearReplicas", ())
        many = hm.Replicas(nets)
        sgd = partial(hm.ReplicaSGD, lr=RATES, momentum=momentum)
        hm.fine_tune(many, INPUTS, LABELS, optimizer=sgd, weight_cost=cost, epochs=3, head_epochs=1, batch_size=10, progress=False)
        found.append(many)
    close(found[0], found[1], 1e-6)


@pytest.mark.parametrize("own", [EACH, partial(hm.ReplicaSGD, lr=RATES)])
def test_replicas_that_are_updated_in_turn_learn_as_all_at_once(monkeypatch: pytest.MonkeyPatch, own: Any) -> None:
    found = []
    for in_cache in (1, 1 << 30):
        monkeypatch.setattr("harmonium.learning.replicas.replica_sgd.IN_CACHE", in_cache)
        many = hm.Replicas([dense(seed) for seed in SEEDS])
        hm.fine_tune(many, INPUTS, LABELS, optimizer=own, weight_cost=COSTS, epochs=3, batch_size=10, progress=False)
        found.append(many)
    close(found[0], found[1], 1e-6)


def test_a_checkpoint_resumes_and_a_replica_goes_on_alone(tmp_path: Path) -> None:
    settings = {"batch_size": 10, "head_epochs": 1, "progress": False}
    own = {"optimizer": EACH, "weight_cost": COSTS, "seed": SEEDS}
    whole = hm.Replicas([dense(seed) for seed in SEEDS])
    hm.fine_tune(whole, INPUTS, LABELS, epochs=4, **own, **settings)
    half = hm.Replicas([dense(seed) for seed in SEEDS])
    state = hm.fine_tune(half, INPUTS, LABELS, epochs=2, checkpoint=tmp_path / "many", **own, **settings)
    resumed = hm.Replicas([dense(0) for _ in SEEDS])
    hm.fine_tune(resumed, INPUTS, LABELS, epochs=4, checkpoint=tmp_path / "many", **own, **settings)
    close(resumed, whole, 0.0)
    alone = state.take(1)
    alone.save(tmp_path / "one")
    alone.restore(tmp_path / "one")
    hm.fine_tune(alone.model, INPUTS, LABELS, epochs=4, state=alone, seed=SEEDS[1], **settings)
    close(alone.model, whole.take(1))
    some = state.chosen([3, 1])
    hm.fine_tune(some.model, INPUTS, LABELS, epochs=4, state=some, seed=some.seeds, **settings)
    close(some.model.take(0), whole.take(3))
    with pytest.raises(ValueError, match=r"made with seed=\[3, 11, 5, 8\]"):
        hm.fine_tune(half, INPUTS, LABELS, epochs=4, checkpoint=tmp_path / "many", **{**own, "seed": 0}, **settings)


def test_a_replica_that_diverges_leaves_the_others_alone() -> None:
    many = hm.Replicas([dense(seed) for seed in SEEDS])
    rates = partial(hm.ReplicaSGD, lr=[0.1, math.inf, 0.1, 0.1])
    with pytest.warns(UserWarning, match="the others continue: 1"):
        state = hm.fine_tune(many, INPUTS, LABELS, optimizer=rates, epochs=3, batch_size=10, progress=False)
    net = dense(SEEDS[2])
    hm.fine_tune(net, INPUTS, LABELS, seed=2, optimizer=partial(hm.MomentumSGD, lr=0.1), epochs=3, batch_size=10, progress=False)
    close(many.take(2), net)
    assert state.diverged == [1]
    assert math.isnan(state.history[-1]["train_loss.1"])
    assert math.isfinite(state.history[-1]["train_loss"])


def test_each_keeps_its_best_epoch_within_its_patience() -> None:
    settings = {"epochs": 12, "batch_size": 5, "head_epochs": 0, "patience": 2, "progress": False, "validation": (INPUTS[:20], LABELS[:20])}
    many = hm.Replicas([dense(seed) for seed in SEEDS])
    hm.fine_tune(many, INPUTS[20:], LABELS[20:], optimizer=EACH, seed=SEEDS, **settings)
    for r, seed in enumerate(SEEDS):
        net = dense(seed)
        hm.fine_tune(net, INPUTS[20:], LABELS[20:], optimizer=of_replica(r), seed=seed, **settings)
        close(many.take(r), net)


def test_dropout_has_masks_of_its_own_in_each_replica() -> None:
    def net() -> nn.Sequential:
        return nn.Sequential(hm.nets.Dropout(0.5), nn.Identity())

    many = hm.Replicas([net(), net()])
    dropped = many.train()(torch.ones(2, 3, 100))
    assert not torch.equal(dropped[0], dropped[1])


def test_what_cannot_be_stacked_is_refused_by_a_sentence() -> None:
    with pytest.raises(ValueError, match="model 1 differs from model 0"):
        hm.Replicas([dense(0), nn.Sequential(nn.Linear(6, 3))])
    with pytest.raises(ValueError, match="found none"):
        hm.Replicas([])
    with pytest.raises(TypeError, match="dropout"):
        hm.Replicas([nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.5))])
    with pytest.raises(ValueError, match=r"\(1, cases\)"):
        hm.Replicas([dense(0)], rows=torch.arange(5))
    many = hm.Replicas([dense(0), dense(1)])
    with pytest.raises(IndexError, match="0 to 1"):
        many.take(2)
    with pytest.raises(ValueError, match="takes no head="):
        hm.fine_tune(many, INPUTS, LABELS, head=None)
    with pytest.raises(ValueError, match="one for each of 2 replicas"):
        hm.fine_tune(many, INPUTS, LABELS, optimizer=EACH)
    with pytest.raises(ValueError, match="one for each of 2 replicas"):
        hm.fine_tune(many, INPUTS, LABELS, seed=[1, 2, 3])

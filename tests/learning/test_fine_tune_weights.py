"""Weights of cases in fine-tuning: a row of weight two counts as the row twice, and one of weight zero is not there."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import harmonium as hm

DRAW = np.random.default_rng(0)
ROWS = torch.tensor(DRAW.random((42, 6)))
LABELS = torch.tensor(DRAW.integers(3, size=42))
TARGETS = torch.tensor(DRAW.random((42, 3)))
WEIGHTS = torch.tensor(DRAW.integers(1, 4, size=42))


def net() -> nn.Sequential:
    found = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    for number, parameter in enumerate(found.parameters()):
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(number))
    return found


def tune(inputs: Any, targets: Any, **settings: Any) -> tuple[Tensor, hm.TrainingState]:
    """All parameters after learning, and the training."""
    learnt = net()
    usual = {"epochs": 4, "head_epochs": 1, "optimizer": partial(torch.optim.SGD, lr=0.5), "batch_size": 1000, "progress": False}
    state = hm.fine_tune(learnt, inputs, targets, **{**usual, **settings})
    return torch.cat([parameter.detach().flatten() for parameter in learnt.parameters()]), state


def cubic(outputs: Tensor, targets: Tensor) -> Tensor:
    """A loss of one's own."""
    return (outputs - targets).abs().pow(3).sum(1).mean()


LOSSES = {
    "cross-entropy": (F.cross_entropy, LABELS),
    "smoothed labels": (partial(F.cross_entropy, label_smoothing=0.1), LABELS),
    "a module": (nn.CrossEntropyLoss(), LABELS),
    "squared error": (F.mse_loss, TARGETS),
    "Huber's": (F.huber_loss, TARGETS),
    "binary cross-entropy": (F.binary_cross_entropy_with_logits, TARGETS),
    "one's own": (cubic, TARGETS),
}


@pytest.mark.parametrize("kind", [torch.as_tensor, np.asarray, list])
@pytest.mark.parametrize("name", LOSSES)
def test_full_batches_are_those_of_the_rows_repeated(name: str, kind: Any) -> None:
    """Parameters and metrics, to rounding."""
    loss, targets = LOSSES[name]
    found, state = tune(ROWS, targets, loss=loss, sample_weight=kind(WEIGHTS.numpy()))
    wanted, repeated = tune(ROWS.repeat_interleave(WEIGHTS, 0), targets.repeat_interleave(WEIGHTS, 0), loss=loss)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert (wanted - tune(ROWS, targets, loss=loss)[0]).abs().max() > 1e-3
    for row, expected in zip(state.history, repeated.history, strict=True):
        assert row.keys() == expected.keys()
        for metric in {"train_loss", "train_error_percent"} & row.keys():
            assert row[metric] == pytest.approx(expected[metric], rel=1e-10)


@pytest.mark.parametrize("batch_size", [1, 7, 21])
def test_heavy_rows_are_not_damped_in_small_batches(batch_size: int) -> None:
    """At a rate so small that the net hardly changes, an epoch's updates add up to as many full batches'.

    Where each batch divides by its own weight, batches of one case have no weights at all.
    """
    heavy, rate = torch.where(torch.arange(42) % 14 == 0, 24.0, 1.0), 1e-7
    settings = {"epochs": 1, "head_epochs": 0, "sample_weight": heavy, "optimizer": partial(torch.optim.SGD, lr=rate)}
    start = tune(ROWS, LABELS, epochs=0)[0]
    found = (tune(ROWS, LABELS, batch_size=batch_size, **settings)[0] - start) / (42 // batch_size)
    wanted = tune(ROWS, LABELS, **settings)[0] - start
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())


def test_equal_weights_change_nothing_whatever_their_size() -> None:
    plain = tune(ROWS, LABELS, batch_size=10)[0]
    torch.testing.assert_close(tune(ROWS, LABELS, batch_size=10, sample_weight=[0.01] * 42)[0], plain, rtol=1e-10, atol=1e-12)


def test_rows_of_no_weight_are_not_there_whatever_they_hold() -> None:
    """The batches and the metrics are those of the others alone."""
    rows, labels, weights = torch.full((84, 6), torch.nan, dtype=torch.float64), torch.full((84,), 99), torch.zeros(84)
    rows[::2], labels[::2], weights[::2] = ROWS, LABELS, 0.7
    found, state = tune(rows, labels, batch_size=10, sample_weight=weights)
    wanted, alone = tune(ROWS, LABELS, batch_size=10)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert state.step == alone.step
    assert state.history[-1]["train_error_percent"] == pytest.approx(alone.history[-1]["train_error_percent"])


BAD = {
    "too few": ([1.0] * 41, "42 finite non-negative numbers, one per case, found shape"),
    "negative": ([-1.0] + [1.0] * 41, "values from -1 to 1"),
    "infinite": ([float("inf")] + [1.0] * 41, "finite"),
    "NaN": ([float("nan")] + [1.0] * 41, "finite"),
    "none at all": ([0.0] * 42, "each of the 42 cases a weight of zero"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_weights_are_refused(name: str) -> None:
    weights, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        tune(ROWS, LABELS, sample_weight=weights)


@pytest.mark.parametrize(
    "loss",
    [
        partial(F.cross_entropy, weight=torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)),
        partial(F.cross_entropy, reduction="sum"),
    ],
)
def test_a_loss_that_is_no_mean_over_cases_takes_no_weights(loss: Any) -> None:
    with pytest.raises(ValueError, match="the mean of the losses of single cases: that of 42 cases is"):
        tune(ROWS, LABELS, loss=loss, sample_weight=WEIGHTS)
    tune(ROWS, LABELS, loss=loss, epochs=1)


def test_wrong_labels_and_too_few_of_them_are_refused_with_weights_too() -> None:
    weights = [0.0] + [1.0] * 41
    with pytest.raises(ValueError, match="labels from 0 to 2, found 3"):
        tune(ROWS, LABELS + 1, sample_weight=weights)
    with pytest.raises(ValueError, match="42 integer labels"):
        tune(ROWS, LABELS[:10], sample_weight=weights)


def test_a_checkpoint_is_of_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    tune(ROWS, LABELS, epochs=2, sample_weight=WEIGHTS, checkpoint=path, batch_size=10)
    for other in (None, WEIGHTS + 1):
        with pytest.raises(ValueError, match=r"(?s)was made with .*data="):
            tune(ROWS, LABELS, sample_weight=other, checkpoint=path, batch_size=10)
    resumed = tune(ROWS, LABELS, sample_weight=WEIGHTS, checkpoint=path, batch_size=10)[0]
    assert torch.equal(resumed, tune(ROWS, LABELS, sample_weight=WEIGHTS, batch_size=10)[0])


def test_replicas_take_none() -> None:
    with pytest.raises(ValueError, match=r"hm\.fine_tune of replicas takes no sample_weight="):
        hm.fine_tune(hm.Replicas([net(), net()]), ROWS, LABELS, sample_weight=WEIGHTS, progress=False)

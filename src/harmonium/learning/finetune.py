"""Discriminative fine-tuning: gentle backpropagation."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.learning.batches import BLOCK, ArrayRows, Batches, derive
from harmonium.learning.fit import DRAWS, ORDER, MakeOptimizer
from harmonium.learning.progress import Progress
from harmonium.learning.schedules import Scheduler
from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback, fresh_generator, train
from harmonium.nets import Dropout


def fine_tune(
    net: nn.Sequential,
    inputs: Tensor,
    labels: Tensor,
    *,
    validation: tuple[Tensor, Tensor] | None = None,
    epochs: int = 30,
    head_epochs: int = 5,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: Callable[[torch.optim.Optimizer], Scheduler] | None = None,
    weight_cost: float = 0.0,
    patience: int | None = None,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Trains a classifier's last layer alone for `head_epochs`, then all of it (Hinton & Salakhutdinov 2006).

    `inputs`: (cases, width), floats or uint8 grey levels, which count as level / 255; a net that sees them as images begins with
    `nn.Unflatten(1, ...)`. `labels`: (cases,) integers below the net's number of classes. With `validation` (inputs, labels) the net ends
    with the weights of the epoch that erred least there, and `patience` epochs without a better one end training. `optimizer`: as for
    `fit`; by default SGD with learning rate 0.1. The other arguments are those of `fit`. ValueError for labels outside the classes, for
    widths that do not fit, or for values that are not finite.
    """
    like = next(net.parameters()).detach()
    check_cases(net, inputs, labels)
    if validation is not None:
        check_cases(net, *validation)
    head = net[-1]
    batches = Batches([grey_rows(inputs, like), ArrayRows(labels)], batch_size=batch_size, seed=derive(seed, ORDER))
    groups = [
        {"params": [p for p in module.parameters() if (p.dim() > 1) == cost], "weight_decay": weight_cost if cost else 0.0}
        for module in (net[:-1], head)  # apart, because fused optimisers want every parameter of a group to begin at the same step
        for cost in (True, False)
    ]
    made = (optimizer or partial(torch.optim.SGD, lr=0.1))(groups)
    settings = {"seed": seed, "batch_size": batch_size, "cases": len(inputs), "head_epochs": head_epochs}
    state = TrainingState(net, made, fresh_generator(like, derive(seed, DRAWS)), settings)
    state.schedule = schedule(made) if schedule is not None else None
    if checkpoint is not None and Path(checkpoint).exists():
        state.restore(checkpoint)
    for module in net:
        if isinstance(module, Dropout):
            module.generator = state.generator

    def gradient(x: Tensor, y: Tensor) -> None:
        y = y.to(x.device).long()
        net.train()
        made.zero_grad(set_to_none=True)
        with torch.set_grad_enabled(state.epoch >= head_epochs):
            features = net[:-1](x)
        logits = head(features)
        loss = F.cross_entropy(logits, y)
        loss.backward()  # type: ignore[no-untyped-call]
        state.add("loss", loss * len(x))
        state.add("errors", (logits.detach().argmax(1) != y).sum())
        state.add("cases", torch.tensor(len(x)))

    def figures() -> dict[str, float]:
        cases = state.totals["cases"].item()
        row = {
            "train_loss": state.totals["loss"].item() / cases,
            "train_error_percent": 100 * state.totals["errors"].item() / cases,
        }
        if validation is not None:
            logits = predict(net, validation[0])
            row["validation_loss"] = F.cross_entropy(logits, validation[1].long()).item()
            row["validation_error_percent"] = 100 * (logits.argmax(1) != validation[1]).double().mean().item()
        return row

    shown = [Progress("fine-tuning")] if progress or (progress is None and Progress.wanted()) else []
    train(
        state,
        batches,
        gradient,
        figures,
        epochs=epochs,
        callbacks=[*callbacks, *shown],
        checkpoint=None if checkpoint is None else Path(checkpoint),
        keep_best="validation_error_percent" if validation is not None else None,
        patience=patience,
    )
    net.eval()
    return state


def grey_rows(inputs: Tensor, like: Tensor) -> ArrayRows:
    """Inputs as a source; uint8 grey levels become probabilities."""
    divisor = 255.0 if inputs.dtype == torch.uint8 else 1.0
    return ArrayRows(inputs, lambda rows: rows.to(like) / divisor if divisor != 1 else rows.to(like))


@torch.no_grad()
def predict(net: nn.Module, inputs: Tensor) -> Tensor:
    """The net's outputs without dropout, a block at a time: (cases, classes) on the CPU."""
    training = net.training
    net.eval()
    rows = grey_rows(inputs, next(net.parameters()).detach())
    outputs = [net(rows.rows(block, torch.Generator())).cpu() for block in torch.split(torch.arange(len(inputs)), BLOCK)]
    net.train(training)
    return torch.cat(outputs)


def check_cases(net: nn.Sequential, inputs: Tensor, labels: Tensor) -> None:
    """Raises a ValueError that says what was expected and found, unless a classifier can learn from these cases."""
    linear, first = [module for module in net if isinstance(module, nn.Linear)], net[0]
    width = math.prod(first.unflattened_size) if isinstance(first, nn.Unflatten) else linear[0].in_features
    classes = linear[-1].out_features
    if inputs.dim() != 2 or inputs.shape[1] != width or len(inputs) == 0:
        raise ValueError(f"expected inputs of shape (cases, {width}), at least one case, found {tuple(inputs.shape)}")
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        raise ValueError("expected finite inputs, found NaN or infinite values")
    if labels.shape != (len(inputs),) or labels.is_floating_point():
        raise ValueError(f"expected {len(inputs)} integer labels, one a case, found shape {tuple(labels.shape)} of {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(f"expected labels from 0 to {classes - 1}, found {low if low < 0 else high}")

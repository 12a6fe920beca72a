"""Fine-tuning of many nets as one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings.products import Precision, described_type, reduced_type
from harmonium.data.batches import ArrayRows
from harmonium.learning.backpropagation import Backpropagation, Loss, described_loss, each_loss, is_classification
from harmonium.learning.defaults import MOMENTUM, TUNING_RATE
from harmonium.learning.loop.averaged_weights import take_average
from harmonium.learning.loop.graph import captured
from harmonium.learning.loop.plan import MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Actions, train
from harmonium.learning.predictions import held_out
from harmonium.learning.replicas.linear_replicas import LinearReplicas
from harmonium.learning.replicas.orders import ReplicaBatches, seeds_of
from harmonium.learning.replicas.replica_sgd import Each, ReplicaSGD
from harmonium.learning.replicas.replica_state import EachChoice, begin, together
from harmonium.learning.replicas.stacking import Replicas
from harmonium.learning.start import make_transforms_slots
from harmonium.learning.tuned_cases import Inputs, as_inputs, as_targets, check_cases, input_rows
from harmonium.learning.tuning_parts import checked_validation, chosen_by, measured, tuning_transforms
from harmonium.models import RBM
from harmonium.nets.dropout import draw_from
from harmonium.seeds import derive


def fine_tune_replicas(
    net: Replicas[Any],
    inputs: Inputs,
    targets: Tensor,
    *,
    loss: Loss = F.cross_entropy,
    validation: tuple[Inputs, Tensor] | None = None,
    epochs: int = 30,
    head_epochs: int = 5,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: Each = 0.0,
    max_norm: float | None = None,
    averaging: float | None = None,
    averaged: bool = False,
    patience: int | None = None,
    precision: Precision = "float32",
    capture: bool = False,
    seed: int | Sequence[int] = 0,
    callbacks: Actions = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """`fine_tune` of replicas. Replica r learns as alone with seed number r: from the same cases in the same order.

    Parameters
    ----------
    net : Replicas
        Nets of one architecture; their head is the last module.
    weight_cost : float or sequence of float, default 0
        One for all, or one per replica.
    seed : int or sequence of int, default 0
        The first replica's seed, or each one's.
    inputs, targets, loss, validation, epochs, head_epochs, batch_size, optimizer, schedule
        As for `fine_tune`.
    max_norm, averaging, averaged, patience, precision, capture, callbacks, state, checkpoint, progress
        As for `fine_tune`.
    """
    if isinstance(net.pattern, RBM):
        raise TypeError("hm.fine_tune trains nets, found replicas of RBMs: hm.fit trains these")
    pattern, seeds, like = net.pattern, seeds_of(seed, len(net)), next(net.parameters()).detach()
    dtype = reduced_type(precision, like)
    inputs, targets = as_inputs(inputs), as_targets(targets, loss)
    check_cases(pattern, inputs, targets, loss)
    rows = input_rows(pattern, inputs, like)
    held = checked_validation(pattern, validation, loss)
    changes = tuning_transforms(pattern, net.stacked, max_norm, averaging, averaged)
    batches = ReplicaBatches([rows, ArrayRows(targets)], batch_size=batch_size, seeds=seeds, rows=net.rows)
    draws = derive(seeds[0], *seeds[1:])
    plan = Plan(epochs, optimizer, schedule, draws, callbacks, state, checkpoint, progress)
    settings = {"batch_size": batch_size, "head_epochs": head_epochs, "loss": described_loss(loss)}
    settings |= {"max_norm": max_norm, "averaging": averaging, "averaged": averaged}
    settings |= {"precision": described_type(precision, like)}
    training = begin(plan, net, weight_cost, batches, settings, seeds, partial(ReplicaSGD, lr=TUNING_RATE, momentum=MOMENTUM))
    make_transforms_slots(training, net, changes)
    plan.restore(training)
    draw_from(net, training.generator)
    head = net.stacked[-1] if isinstance(net.stacked, nn.Sequential) else None
    signal = ReplicaBackpropagation(training, loss, head, head_epochs, batches, dtype)
    metrics = measured(training, partial(metrics_of_nets, signal, held), averaged)
    kept = chosen_by(EachChoice, held, patience, averaged)
    try:
        step, watchers = captured(Step(training, signal, changes), capture), plan.watchers("fine-tuning")
        train(training, batches, step, metrics, epochs=epochs, callbacks=watchers, checkpoint=plan.path, chosen=kept)
    finally:
        signal.close()
    if averaged and held is None:
        take_average(training)
    net.eval()
    return training  # type: ignore[no-any-return]


class ReplicaBackpropagation(Backpropagation):
    """Writes the gradient of each replica's mean loss of its own mini-batch."""

    net: Replicas[Any]

    def __init__(
        self,
        state: TrainingState,
        loss: Loss,
        head: nn.Module | None,
        head_epochs: int,
        batches: Any,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(state, loss, head, head_epochs, batches, dtype)
        self.layers = [module for module in self.net.modules() if isinstance(module, LinearReplicas)]
        if self.net.by_hand:  # its layers round their factors themselves
            self.products = nullcontext()
        for layer in self.layers:
            layer.dtype = dtype
        own = {parameter for layer in self.layers for parameter in layer.parameters()}
        if isinstance(state.optimizer, ReplicaSGD):
            for layer in self.layers:
                layer.products = state.optimizer.products
        self.others = [parameter for parameter in self.net.parameters() if parameter not in own]

    def gradient(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> None:
        """`x`: (replicas, cases, ...). `y`: (replicas, cases, ...). `weights`: none, because cases of replicas have none."""
        state = self.state
        if state.batch == 0:
            self._learn_body(state.epoch >= self.head_epochs)
        y = y.to(x.device)
        labels = y.dim() == 2 and is_classification(y[0])
        y = y.long() if labels else y
        self.net.train()
        for layer in self.layers:
            layer.fresh = True
        for parameter in self.others:
            if parameter.grad is not None:
                parameter.grad.zero_()
        with self.products:
            outputs = self.net(x)
        outputs = outputs if self.dtype is None else outputs.float()
        losses = each_loss(self.loss, outputs, y)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        cases = y.shape[1]
        state.add("loss", losses.detach() * cases)
        state.add("cases", losses.new_full((), cases))
        if labels:
            state.add("errors", (outputs.detach().argmax(-1) != y).sum(1))

    def close(self) -> None:
        super().close()
        for layer in self.layers:
            layer.products = layer.dtype = layer.short = None

    def metrics(self) -> dict[str, float]:
        raise TypeError("replicas have metrics each: metrics_of_nets")


def metrics_of_nets(signal: ReplicaBackpropagation, validation: tuple[Inputs, Tensor] | None) -> dict[str, float]:
    """The metrics of `fine_tune` for each replica, and their means."""
    many, totals = signal.net, {name: value.tolist() for name, value in signal.state.totals.items()}
    rows = []
    for replica, net in enumerate(many):
        row = {"train_loss": totals["loss"][replica] / totals["cases"]}
        if "errors" in totals:
            row["train_error_percent"] = 100 * totals["errors"][replica] / totals["cases"]
        rows.append(row | ({} if validation is None else held_out(net, *validation, signal.loss)))
    return together(rows)

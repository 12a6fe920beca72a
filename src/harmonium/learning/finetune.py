"""Discriminative fine-tuning by backpropagation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings.products import Precision, described_type, reduced_type
from harmonium.data.batches import BLOCK
from harmonium.data.tables import as_tensor
from harmonium.learning.backpropagation import Backpropagation, Loss, groups_of, is_classification
from harmonium.learning.defaults import MOMENTUM, TUNING_RATE
from harmonium.learning.loop.graph import captured
from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import ORDER, MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Actions, Choice, train
from harmonium.learning.placing import Device, place
from harmonium.learning.replicas.dispatch import or_replicas
from harmonium.learning.replicas.fine_tune_replicas import fine_tune_replicas
from harmonium.learning.tuned_cases import check_cases, input_rows, tuned_batches
from harmonium.nets import Dropout
from harmonium.seeds import derive


@or_replicas(fine_tune_replicas)
def fine_tune(
    net: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    loss: Loss = F.cross_entropy,
    head: nn.Module | None = None,
    validation: tuple[Tensor, Tensor] | None = None,
    sample_weight: Tensor | np.ndarray[Any, Any] | Sequence[float] | None = None,
    epochs: int = 30,
    head_epochs: int = 5,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: float = 0.0,
    patience: int | None = None,
    precision: Precision = "float32",
    device: Device | None = None,
    capture: bool = False,
    seed: int = 0,
    callbacks: Actions = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Train a net's last layer alone for `head_epochs`, then all of it (Hinton & Salakhutdinov 2006).

    Parameters
    ----------
    net : nn.Module
        Any net. It is trained in place, and is in evaluation mode afterwards. `Replicas` of nets are trained together, each as alone: see
        the notes.
    inputs : Tensor or array
        Cases, (cases, width), as for `fit`: the net's `Visible` module knows how its visible units take their data. A net without this
        module takes floats and booleans. A net that sees its inputs as images unflattens them (`nn.Unflatten(1, ...)`).
    targets : Tensor or array
        Integer labels, (cases,), below a classifier's number of classes; or other targets of `loss`, (cases, ...).
    loss : callable, default torch.nn.functional.cross_entropy
        (outputs, targets) -> the mean over the cases.
    head : nn.Module, optional
        The part that learns alone at first. By default it is the last module of an `nn.Sequential`; other nets have none.
    validation : tuple of Tensor, optional
        (inputs, targets). The net then ends with the weights of the epoch with the lowest error on them: the percentage of wrong labels or,
        for other targets, the loss.
    sample_weight : sequence of float, optional
        Non-negative weights, (cases,). A row of weight 2 counts as two rows, in the metrics too. A row of weight 0 is left out, whatever it
        holds. The loss must then be the mean of the losses of single cases, and other than cross-entropy it must go through
        `torch.func.vmap`. Validation cases have no weights.
    epochs : int, default 30
        Number of epochs in all.
    head_epochs : int, default 5
        Number of epochs for the head alone.
    batch_size : int, default 100
        Cases per mini-batch.
    optimizer : callable, optional
        Parameter groups -> optimiser. The default is SGD with learning rate 0.05 and momentum 0.9.
    weight_cost : float, default 0
        Weight decay of the optimiser, on matrices only.
    patience : int, optional
        With `validation`: end training after this many epochs without a lower error.
    schedule, precision, device, capture, seed, callbacks, state, checkpoint, progress
        As for `fit`. Reduced precision is that of `torch.autocast`.

    Returns
    -------
    TrainingState
        The final state. Its `history` has one row of metrics per epoch.

    Raises
    ------
    ValueError
        For labels outside the classes, for inputs that the visible units cannot take or whose width does not fit, for values that are not
        finite, for bytes if the net has no `Visible` module to interpret them, for weights that do not fit, and for weights with a loss
        that cannot take them.
    FloatingPointError
        If learning diverges.

    Notes
    -----
    See Hinton & Salakhutdinov (2006), doi:10.1126/science.1127647.

    Of `Replicas`, replica r learns with the seed `seed` + r, or with seed number r of a sequence: the cases come in the order in which
    they would come to it alone. `weight_cost` may be one number per replica, and so may the rates of `hm.ReplicaSGD`, the default
    optimiser. The head is the last module. The result is a `ReplicaState`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 6))
    >>> state = hm.fine_tune(net, torch.eye(6), torch.arange(6), epochs=2, head_epochs=1, progress=False)
    >>> hm.predict(net, torch.eye(6)).shape
    torch.Size([6, 6])
    """
    place(net, device, state)
    like = next(net.parameters()).detach()
    if head is None and isinstance(net, nn.Sequential):
        head = net[-1]
    batches = tuned_batches(net, inputs, targets, sample_weight, loss, batch_size=batch_size, seed=derive(seed, ORDER))
    kept = None
    if validation is not None:
        validation = as_tensor(validation[0]), as_tensor(validation[1])
        check_cases(net, *validation, loss)
        input_rows(net, validation[0], like)  # checked now, because predict would check them only after the first epoch
        kept = Choice("validation_error_percent" if is_classification(validation[1]) else "validation_loss", patience)
    plan = Plan(epochs, optimizer, schedule, seed, callbacks, state, checkpoint, progress)
    kind = described_type(precision, like)
    settings = {"batch_size": batch_size, "head_epochs": head_epochs, "loss": described_loss(loss), "precision": kind}
    training = plan.begin(
        net, groups_of(net, head, weight_cost), batches, settings, partial(MomentumSGD, lr=TUNING_RATE, momentum=MOMENTUM)
    )
    plan.restore(training)
    for module in net.modules():
        if isinstance(module, Dropout):
            module.generator = training.generator
    signal = Backpropagation(training, loss, head, head_epochs, batches, reduced_type(precision, like))

    def metrics() -> dict[str, float]:
        return signal.metrics() | ({} if validation is None else held_out(net, *validation, loss))

    try:
        step, watchers = captured(Step(training, signal), capture), plan.watchers("fine-tuning")
        train(training, batches, step, metrics, epochs=epochs, callbacks=watchers, checkpoint=plan.path, chosen=kept)
    finally:
        signal.close()
    net.eval()
    return training


def held_out(net: nn.Module, inputs: Tensor, targets: Tensor, loss: Loss) -> dict[str, float]:
    """The loss on validation cases and, for a classifier, the percentage of wrong labels."""
    outputs, targets = predict(net, inputs), as_tensor(targets)
    if not is_classification(targets):
        return {"validation_loss": loss(outputs, targets.cpu()).item()}
    wrong = (outputs.argmax(1) != targets.cpu()).double().mean().item()
    return {"validation_loss": loss(outputs, targets.cpu().long()).item(), "validation_error_percent": 100 * wrong}


def described_loss(loss: Loss) -> str:
    """The name of a loss: that of a function, or of an object's class."""
    return getattr(loss, "__qualname__", None) or described(loss)


@torch.no_grad()
def predict(net: nn.Module, inputs: Tensor) -> Tensor:
    """Compute the net's outputs without dropout, a block at a time.

    Parameters
    ----------
    net : nn.Module
        Any net. Its mode, training or evaluation, is kept.
    inputs : Tensor
        Cases, (cases, width), as for `fine_tune`.

    Returns
    -------
    Tensor
        The outputs, (cases, classes), on the CPU.

    Raises
    ------
    ValueError
        As for the inputs of `fine_tune`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = torch.nn.Sequential(torch.nn.Linear(6, 3))
    >>> hm.predict(net, torch.eye(6)).shape
    torch.Size([6, 3])
    """
    inputs = as_tensor(inputs)
    rows, training = input_rows(net, inputs, next(net.parameters()).detach()), net.training
    net.eval()
    outputs = [net(rows.rows(block, torch.Generator())).cpu() for block in torch.split(torch.arange(len(inputs)), BLOCK)]
    net.train(training)
    return torch.cat(outputs)

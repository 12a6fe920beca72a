"""Discriminative fine-tuning by backpropagation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings.products import Precision, described_type, reduced_type
from harmonium.learning.backpropagation import Backpropagation, Loss, described_loss, groups_of
from harmonium.learning.defaults import MOMENTUM, TUNING_RATE
from harmonium.learning.loop.averaged_weights import take_average
from harmonium.learning.loop.graph import captured
from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import ORDER, Groups, MakeOptimizer, MakeSchedule, Plan, searches
from harmonium.learning.loop.searched import Searched, check_search
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Actions, Choice, train
from harmonium.learning.placing import Device, place
from harmonium.learning.predictions import held_out
from harmonium.learning.replicas.dispatch import or_replicas
from harmonium.learning.replicas.fine_tune_replicas import fine_tune_replicas
from harmonium.learning.start import make_transforms_slots
from harmonium.learning.tuned_cases import Inputs, tuned_batches
from harmonium.learning.tuning_parts import checked_validation, chosen_by, measured, tuning_transforms
from harmonium.nets.dropout import draw_from
from harmonium.seeds import derive

USUAL = partial(MomentumSGD, lr=TUNING_RATE, momentum=MOMENTUM)


@or_replicas(fine_tune_replicas)
def fine_tune(
    net: nn.Module,
    inputs: Inputs,
    targets: Tensor,
    *,
    loss: Loss = F.cross_entropy,
    head: nn.Module | None = None,
    validation: tuple[Inputs, Tensor] | None = None,
    sample_weight: Tensor | np.ndarray[Any, Any] | Sequence[float] | None = None,
    epochs: int = 30,
    head_epochs: int = 5,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: float = 0.0,
    max_norm: float | None = None,
    averaging: float | None = None,
    averaged: bool = False,
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
    inputs : Tensor, array or Source
        Cases, (cases, width), or pairs for a siamese net, (cases, 2, width), as for `fit`: the net's `Visible` module knows how its visible
        units take their data. A net without this module takes floats and booleans. A net that sees its inputs as images unflattens them
        (`nn.Unflatten(1, ...)`). The rows of a source, such as images that `hm.data.Distorted` distorts anew at each visit, are checked
        as they come.
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
        Parameter groups -> any `torch.optim` optimiser, by default SGD with learning rate 0.05 and momentum 0.9. One that searches along
        lines evaluates each batch several times: `hm.ConjugateGradients`, or `torch.optim.LBFGS`.
    weight_cost : float, default 0
        Weight decay of the optimiser, on matrices only.
    max_norm : float, optional
        The largest norm of the weights into a hidden unit; longer ones are rescaled after each update. It bounds those of linear and
        convolutional modules, but for the last one, whose units are the outputs.
    averaging : float, optional
        The share of the steps so far, above 0 and at most 1, over which `state.averaged()` has averaged the parameters, as for `fit`.
    averaged : bool, default False
        With `averaging`: measure the averaged parameters on the validation cases, and end with them.
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
        finite, for bytes if the net has no `Visible` module to interpret them, for weights that do not fit, for weights with a loss
        that cannot take them, and for line searches with `capture` or in several processes.
    FloatingPointError
        If learning diverges.

    Notes
    -----
    See Hinton & Salakhutdinov (2006), doi:10.1126/science.1127647.

    *The protocol of 2006* is `optimizer=hm.ConjugateGradients, batch_size=1000`: three line searches on each batch. While an optimiser
    searches on a batch, the draws of dropout are fixed. Where it has no weight decay, the weight cost is a term of its loss.

    *Dropout* by Hinton et al. (2012), arXiv:1207.0580, is that of `hm.nets.classifier(dropout=0.5, input_dropout=0.2)` with
    `schedule=hm.dropout_schedule` and, for nets that were not pre-trained, `max_norm`.

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
    changes = tuning_transforms(net, None, max_norm, averaging, averaged)
    batches = tuned_batches(net, inputs, targets, sample_weight, loss, batch_size=batch_size, seed=derive(seed, ORDER))
    held = checked_validation(net, validation, loss)
    plan = Plan(epochs, optimizer, schedule, seed, callbacks, state, checkpoint, progress)
    settings = {"batch_size": batch_size, "head_epochs": head_epochs, "loss": described_loss(loss)}
    settings |= {"precision": described_type(precision, like), "max_norm": max_norm, "averaging": averaging, "averaged": averaged}
    groups = groups_of(net, head, weight_cost)
    training = plan.begin(net, groups, batches, settings, USUAL, line_search=True)
    make_transforms_slots(training, net, changes)
    plan.restore(training)
    draw_from(net, training.generator)
    signal = Backpropagation(training, loss, head, head_epochs, batches, reduced_type(precision, like), rebinds=not capture)

    def metrics() -> dict[str, float]:
        return signal.metrics() | ({} if held is None else held_out(net, *held, loss))

    try:
        step, watchers = searched_or_captured(Step(training, signal, changes), signal, groups, capture), plan.watchers("fine-tuning")
        figures, kept = measured(training, metrics, averaged), chosen_by(Choice, held, patience, averaged)
        train(training, batches, step, figures, epochs=epochs, callbacks=watchers, checkpoint=plan.path, chosen=kept)
    finally:
        signal.close()
    if averaged and held is None:
        take_average(training)
    net.eval()
    return training


def searched_or_captured(step: Step, signal: Backpropagation, groups: Groups, capture: bool) -> Callable[..., None]:
    """The update of an optimiser that searches along lines, or the usual one."""
    if not searches(step.state.optimizer):
        return captured(step, capture)
    check_search(step.state.optimizer, capture)
    return Searched(step, signal.loss_and_gradient, groups, len(signal.batches))

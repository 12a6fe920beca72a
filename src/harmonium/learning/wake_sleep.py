"""Contrastive wake-sleep: generative fine-tuning of a deep belief net."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harmonium.couplings.products import Precision, described_type, reduced_type
from harmonium.data.batches import ArrayRows, Batches, Source
from harmonium.data.tables import as_data
from harmonium.learning.cases import Rows, as_rows
from harmonium.learning.held_out import early_stopping
from harmonium.learning.length import epochs_of
from harmonium.learning.loop.graph import captured
from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import ORDER, Groups, MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Actions, Choice, train
from harmonium.learning.monitor import MONITORED
from harmonium.learning.placing import Device, place
from harmonium.learning.rules import ContrastiveDivergence, Rule, makes_particles
from harmonium.learning.transforms import Averaging
from harmonium.learning.up_down import Pixels, UpDown, wake_error
from harmonium.models import DBM, DBN, RBM, label_log_probability
from harmonium.models.labels import check_labels, no_labels
from harmonium.seeds import derive
from harmonium.units.groups import leaves

Labels = Tensor | np.ndarray[Any, Any] | Sequence[int]


def wake_sleep(
    dbn: DBN,
    data: Rows,
    *,
    labels: Labels | None = None,
    negative: Rule | Callable[[int], Rule] = ContrastiveDivergence(3),  # noqa: B008 (frozen)
    pixels: Pixels = "mean",
    epochs: int | None = None,
    updates: int | None = None,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: float = 0.0,
    averaging: float | None = None,
    validation: Rows | tuple[Rows, Labels] | None = None,
    keep_best: bool = False,
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
    """Fine-tune an untied net (`dbn.untie()`) as a generative model, in place, by the up-down algorithm.

    Parameters
    ----------
    dbn : DBN
        An untied net.
    data : Tensor, array or Source
        Cases, (cases, *shape), as for `fit`.
    labels : sequence of int, optional
        Labels, (cases,), for a net with label units.
    negative : Rule or callable, default ContrastiveDivergence(3)
        The rule that makes the top RBM's particles, from which the sleep phase starts; or a function of the epoch, from 0, that returns it.
        Hinton's schedule is `lambda epoch: hm.ContrastiveDivergence(3 if epoch < 100 else 6 if epoch < 200 else 10)`.
    pixels : {"mean", "sample"}, default "mean"
        Whether the sleep phase ends in the lowest layer's means, as Hinton's probabilities, or in samples. Samples are those of the
        wake-sleep algorithm itself, and the choice for real-valued data.
    epochs : int, optional
        Number of epochs in all.
    updates : int, optional
        Number of updates in all, in place of `epochs`, rounded up to whole epochs; 3,000 by default.
    batch_size : int, default 100
        Cases per mini-batch.
    optimizer : callable, optional
        As for `fit`. The default is fused SGD with momentum 0.9 and learning rate 0.001, or 0.0001 if a layer is real-valued or unbounded.
        With large steps the recognition weights drift and the label error rises. It follows the exact gradient, not that of standardised
        data.
    schedule, averaging, precision, device, capture, seed, callbacks, state, checkpoint, progress
        As for `fit`.
    weight_cost : float, default 0
        As for `fit`, on couplings only.
    validation : optional
        Data, or (data, labels), for the metrics below.
    keep_best : bool, default False
        End with the weights of the epoch with the lowest `validation_error_percent`.
    patience : int, optional
        End training after this many epochs without a better one, and end with the weights of the best: with `keep_best` by
        `validation_error_percent`, else by the variational bound of held-out cases, as for `fit`.

    Returns
    -------
    TrainingState
        The final state. Its `history` has one row of metrics per epoch.

    Raises
    ------
    ValueError
        For a tied net, for pooled layers between machines, for data or labels that do not fit, or for a checkpoint with other settings.
    TypeError
        For another model, and for a `Rule` that makes no particles to start the sleep phase from.
    FloatingPointError
        If learning diverges.

    Notes
    -----
    *Algorithm* (Hinton, Osindero & Teh 2006, section 5 and appendix B, doi:10.1162/neco.2006.18.7.1527). An update has three parts. In the
    wake phase a stochastic up-pass goes from the data through the recognition layers, and each generative layer learns to reconstruct its
    states from the layer above. The top RBM, with the true labels beside its units, follows <∂E/∂θ>_data - <∂E/∂θ>_model. In the sleep
    phase a stochastic down-pass goes from the model's particles, and each recognition layer learns to recover its states from the layer
    below. Every gradient is a mean over its own cases.

    *Metrics.* `wake_error` and `sleep_error` are the squared errors of the generative, and recognition, layers' predictions, summed over
    units and layers: the mean over the epoch's cases, or over its samples of the sleep phase. With `validation` there is also
    `validation_wake_error`, on at most 1,000 of the cases. With labels there is `validation_error_percent`, by `label_log_probability` (and
    with `averaging` `averaged_error_percent`, of the averaged net).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.greedy(torch.eye(6), [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)], epochs=1, progress=False)
    >>> untied = dbn.untie()
    >>> state = hm.wake_sleep(untied, torch.eye(6), epochs=2, progress=False)
    >>> "wake_error" in state.history[-1]
    True
    """
    _check(dbn, negative, labels, pixels)
    place(dbn, device, state)
    like = next(dbn.parameters()).detach()
    rows = as_rows(dbn.visible, _rows(data), like)
    known = None if labels is None else ArrayRows(_labels(dbn, labels, len(rows)), lambda chosen: chosen.to(like.device))
    batches = Batches([rows, known], batch_size=batch_size, seed=derive(seed, ORDER))
    held = Held(dbn, validation, keep_best)
    choose = _schedule(negative)
    changes = [] if averaging is None else [Averaging(averaging)]
    epochs = epochs_of(epochs, updates, batches)
    plan = Plan(epochs, optimizer, schedule, seed, callbacks, state, checkpoint, progress)
    settings = {
        "batch_size": batch_size,
        "negative": described(choose(0)),  # the first rule of a schedule: functions cannot be compared
        "pixels": pixels,
        "labels": known is not None,
        "averaging": averaging,
        "precision": described_type(precision, like),
    }
    training = plan.begin(dbn, groups(dbn, weight_cost), batches, settings, default_optimizer(dbn))
    signal = UpDown(training, choose, pixels, batches)
    training.slots |= {change.name: change.init(dbn, training.step) for change in changes if change.name not in training.slots}
    training.divided = choose(0).divided
    training.slots.setdefault(RULE, {})  # filled at the first update that needs it, because a schedule may change the rule
    plan.restore(training)

    def metrics() -> dict[str, float]:
        averaged = training.averaged() if changes and held.labels is not None else None
        return signal.metrics() | held.metrics(averaged, lambda *purpose: plan.generator(like, *purpose), training.epoch)

    step = captured(Step(training, signal, changes, dtype=reduced_type(precision, like)), capture)
    by_error = Choice("validation_error_percent", patience) if keep_best else None
    watchers, by_nats = early_stopping(plan, None if keep_best else patience, held.images, title="wake-sleep")
    return train(training, batches, step, metrics, epochs=epochs, callbacks=watchers, checkpoint=plan.path, chosen=by_error or by_nats)


class Held:
    """Validation data of a net, and its metrics after an epoch."""

    def __init__(self, dbn: DBN, validation: Rows | tuple[Rows, Labels] | None, keep_best: bool) -> None:
        self.dbn = dbn
        self.images: Rows | None
        self.images, labels = validation if isinstance(validation, tuple) else (validation, None)
        self.rows = None if self.images is None else as_rows(dbn.visible, _rows(self.images), next(dbn.parameters()).detach())
        self.labels = None if self.rows is None or labels is None else _labels(dbn, labels, len(self.rows))
        if keep_best and self.labels is None:
            raise ValueError("keep_best uses the label error on validation data: give validation=(data, labels)")

    def metrics(self, averaged: nn.Module | None, generator: Callable[..., torch.Generator], epoch: int) -> dict[str, float]:
        """Errors of the net, and of its averaged parameters where there are any. `generator`: one for each purpose."""
        row: dict[str, float] = {}
        if self.rows is None:
            return row
        if len(self.dbn.recognition):
            row["validation_wake_error"] = wake_error(self.dbn, self.rows, generator(epoch))
        if self.labels is not None:
            row["validation_error_percent"] = _error_percent(self.dbn, self.rows, self.labels, generator())
            if isinstance(averaged, DBN):
                row["averaged_error_percent"] = _error_percent(averaged, self.rows, self.labels, generator())
        return row


def _error_percent(dbn: DBN, held: Source, labels: Tensor, generator: torch.Generator) -> float:
    """The percentage of the cases whose most probable label is wrong."""
    wrong = 0
    for block in torch.split(torch.arange(len(held)), MONITORED):
        found = label_log_probability(dbn, held.rows(block, generator)).argmax(1)
        wrong += int((found != labels[block].to(found.device)).sum())
    return 100 * wrong / len(held)


def groups(dbn: DBN, weight_cost: float) -> Groups:
    """Parameter groups of an optimiser: the couplings' parameters, with the weight cost, and the units'."""
    layers = [*dbn.upwards(), *list(dbn.downwards())[::-1]]
    couplings, units = [*(layer.coupling for layer in layers), dbn.top.coupling], [layer.unit for layer in layers]
    return [
        {"params": [p for coupling in couplings for p in coupling.parameters()], "weight_decay": weight_cost},
        {"params": [p for unit in (*units, dbn.top.visible, dbn.top.hidden) for p in unit.parameters()], "weight_decay": 0.0},
    ]


def default_optimizer(dbn: DBN) -> MakeOptimizer:
    """Fused SGD with momentum, at a tenth of `fit`'s rate for a binary machine, and lower for unbounded states."""
    units = [*(layer.unit for layer in (*dbn.upwards(), *dbn.downwards())), dbn.top.visible, dbn.top.hidden]
    endless = any(leaf.count == math.inf for unit in units for _, _, leaf in leaves(unit))
    return partial(MomentumSGD, lr=1e-4 if endless else 1e-3, momentum=0.9)


def _check(dbn: object, negative: object, labels: object, pixels: str) -> None:
    """Check what does not depend on the data."""
    if not isinstance(dbn, DBN):
        advice = "hm.fit learns that" if isinstance(dbn, RBM | DBM) else "write its gradient with its own accumulate_gradient"
        raise TypeError(f"wake-sleep learns the directed layers of a deep belief net, found {type(dbn).__name__}: {advice}")
    if len(dbn.recognition) and not dbn.untied:
        raise ValueError(
            "wake-sleep learns recognition and generative weights separately, and this net's are tied: give it dbn.untie(), a copy "
            "with untied weights"
        )
    for layer in dbn.upwards():
        if layer.unit.output_shape != layer.unit.shape:
            raise ValueError(
                "wake-sleep takes no pooled layers between machines: the upper machine models only the pooled map, and neither models "
                f"which unit of a block is on, found {layer.unit}"
            )
    if isinstance(negative, Rule) and not makes_particles(negative):
        raise TypeError(f"{type(negative).__name__} makes no particles for the sleep phase: use ContrastiveDivergence or PersistentCD")
    if dbn.labels is not None and labels is None:
        raise ValueError("this net has label units: give labels=, one integer per case")
    if pixels not in ("mean", "sample"):
        raise ValueError(f'pixels must be "mean" or "sample", found {pixels!r}')


def _schedule(negative: Rule | Callable[[int], Rule]) -> Callable[[int], Rule]:
    """The rule that makes the particles, as a function of the epoch."""
    if isinstance(negative, Rule):
        found = negative
        return lambda epoch: found
    return negative


def _labels(dbn: DBN, labels: Labels, cases: int) -> Tensor:
    if dbn.labels is None:
        raise no_labels()
    return check_labels(labels, cases, dbn.labels.categories)


def _rows(data: Any) -> Rows:
    data = as_data(data)
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError(
            f"wake-sleep takes data that can be indexed by case number: a tensor, array or Source, found {type(data).__name__}"
        )
    found: Rows = data
    return found

"""Contrastive wake-sleep: a deep belief net fine-tuned to generate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.batches import ArrayRows, Batches, Source
from harmonium.learning.cases import Rows, as_rows
from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import ORDER, Groups, MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Callback, Choice, train
from harmonium.learning.monitor import MONITORED
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
    epochs: int = 10,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: float = 0.0,
    averaging: float | None = None,
    validation: Rows | tuple[Rows, Labels] | None = None,
    keep_best: bool = False,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Fine-tunes an untied net (`dbn.untie()`) to generate, in place, by the up-down algorithm (Hinton, Osindero & Teh 2006, section 5
    and appendix B), and returns the final training state.

    An update: awake, a stochastic up-pass from the data through the recognition layers, whose states the generative layers learn to
    reconstruct, each from the layer above; in the top RBM, with the true labels beside them, <∂E/∂θ>_data - <∂E/∂θ>_model; asleep, from the
    model's particles a stochastic down-pass, whose states the recognition layers learn to recover, each from the layer below. Every
    gradient is a mean over its own cases.

    `data`: (cases, *shape), a tensor, array, memory map or `Source`, as `fit` takes them; `labels`: (cases,) integers, of a net with label
    units. `negative`: how the top RBM's particles are made, where the dreams begin; or a function of the epoch, from 0, which gives it:
    `lambda epoch: hm.ContrastiveDivergence(3 if epoch < 100 else 6 if epoch < 200 else 10)` is Hinton's schedule. `pixels`: whether the
    lowest layer dreams means, as Hinton's probabilities, or samples, the wake-sleep algorithm's own and the one for real-valued data.

    `optimizer`: as for `fit`; by default fused SGD with momentum 0.9 and learning rate 0.001, 0.0001 where a layer is real-valued or
    without end: large steps let the recognition weights drift, and the label error rises. It follows the exact gradient, not that of
    standardised data. `averaging`, `schedule`, `weight_cost` (on couplings alone), `seed`, `state`, `checkpoint`, `progress`: as for `fit`.

    Figures of an epoch: `wake_error` and `sleep_error`, squared errors of what each generative, or recognition, layer predicts, summed over
    units and layers, the mean of the epoch's cases, or dreams. `validation`: data, or (data, labels); then also `validation_wake_error`,
    on at most 1,000 of them, and `validation_error_percent`, by `label_log_probability` (with `averaging` also `averaged_error_percent`,
    of the averaged net). `keep_best`: end with the weights of the epoch whose `validation_error_percent` was lowest.

    ValueError for a tied net, pooled layers between machines, data or labels that do not fit, or a checkpoint of other settings; TypeError
    for a `Rule`, which makes no particles to dream from; FloatingPointError if learning diverges.
    """
    _check(dbn, negative, labels, pixels)
    like = next(dbn.parameters()).detach()
    rows = as_rows(dbn.visible, _numbered(data), like)
    known = None if labels is None else ArrayRows(_labels(dbn, labels, len(rows)))
    batches = Batches([rows, known], batch_size=batch_size, seed=derive(seed, ORDER))
    images, held_labels = validation if isinstance(validation, tuple) else (validation, None)
    held = None if images is None else as_rows(dbn.visible, _numbered(images), like)
    true = None if held is None or held_labels is None else _labels(dbn, held_labels, len(held))
    if keep_best and true is None:
        raise ValueError("keep_best chooses by the label error on validation data: give validation=(data, labels)")
    choose = _schedule(negative)
    changes = [] if averaging is None else [Averaging(averaging)]
    plan = Plan(epochs, optimizer, default_optimizer(dbn), schedule, seed, callbacks, state, checkpoint, progress)
    settings = {
        "batch_size": batch_size,
        "negative": described(choose(0)),  # of a schedule the first: a function cannot be compared
        "pixels": pixels,
        "labels": known is not None,
        "averaging": averaging,
    }
    training = plan.begin(dbn, groups(dbn, weight_cost), batches, settings)
    signal = UpDown(training, choose, pixels)
    for change in changes:
        if change.name not in training.slots:
            training.slots[change.name] = change.init(dbn, training.step)
    training.slots.setdefault(RULE, {})  # filled at the first update that needs it, for a schedule may change the rule
    plan.restore(training)

    def metrics() -> dict[str, float]:
        row = signal.metrics(len(rows))
        if held is not None and len(dbn.recognition):
            row["validation_wake_error"] = wake_error(dbn, held, plan.generator(like, training.epoch))
        if held is not None and true is not None:
            row["validation_error_percent"] = _error_percent(dbn, held, true, plan.generator(like))
            averaged = training.averaged() if changes else None
            if isinstance(averaged, DBN):
                row["averaged_error_percent"] = _error_percent(averaged, held, true, plan.generator(like))
        return row

    return train(
        training,
        batches,
        Step(training, signal, changes),
        metrics,
        epochs=epochs,
        callbacks=plan.watchers("wake-sleep"),
        checkpoint=plan.path,
        chosen=Choice("validation_error_percent") if keep_best else None,
    )


def _error_percent(dbn: DBN, held: Source, labels: Tensor, generator: torch.Generator) -> float:
    """The share of the cases whose most probable label is another."""
    wrong = 0
    for block in torch.split(torch.arange(len(held)), MONITORED):
        found = label_log_probability(dbn, held.rows(block, generator)).argmax(1)
        wrong += int((found != labels[block].to(found.device)).sum())
    return 100 * wrong / len(held)


def groups(dbn: DBN, weight_cost: float) -> Groups:
    """The parameters as an optimiser takes them: the couplings', with the weight cost, and the units'."""
    layers = [*dbn.upwards(), *list(dbn.downwards())[::-1]]
    couplings, units = [*(layer.coupling for layer in layers), dbn.top.coupling], [layer.unit for layer in layers]
    return [
        {"params": [p for coupling in couplings for p in coupling.parameters()], "weight_decay": weight_cost},
        {"params": [p for unit in (*units, dbn.top.visible, dbn.top.hidden) for p in unit.parameters()], "weight_decay": 0.0},
    ]


def default_optimizer(dbn: DBN) -> MakeOptimizer:
    """Fused SGD with momentum, a tenth of what `fit` learns a binary machine with, and less where states are without end."""
    units = [*(layer.unit for layer in (*dbn.upwards(), *dbn.downwards())), dbn.top.visible, dbn.top.hidden]
    endless = any(leaf.count == math.inf for unit in units for _, _, leaf in leaves(unit))
    return partial(MomentumSGD, lr=1e-4 if endless else 1e-3, momentum=0.9)


def _check(dbn: object, negative: object, labels: object, pixels: str) -> None:
    """What can be known before any data are looked at."""
    if not isinstance(dbn, DBN):
        advice = "hm.fit learns that" if isinstance(dbn, RBM | DBM) else "write its gradient with its own accumulate_gradient"
        raise TypeError(f"wake-sleep learns the directed layers of a deep belief net, found {type(dbn).__name__}: {advice}")
    if len(dbn.recognition) and not dbn.untied:
        raise ValueError(
            "wake-sleep learns recognition and generative weights apart, and this net's are tied: give it dbn.untie(), a copy whose "
            "weights can part"
        )
    for layer in dbn.upwards():
        if layer.unit.output_shape != layer.unit.shape:
            raise ValueError(
                "pooled layers between machines cannot be dreamt: the machine above gives the pooled map alone, and which unit of a block "
                f"is on belongs to neither, found {layer.unit}"
            )
    if isinstance(negative, Rule) and not makes_particles(negative):
        raise TypeError(f"{type(negative).__name__} makes no particles to dream from: give ContrastiveDivergence or PersistentCD")
    if dbn.labels is not None and labels is None:
        raise ValueError("this net has label units: give labels=, one integer a case")
    if pixels not in ("mean", "sample"):
        raise ValueError(f'pixels must be "mean" or "sample", found {pixels!r}')


def _schedule(negative: Rule | Callable[[int], Rule]) -> Callable[[int], Rule]:
    """What makes the particles, by the epoch."""
    if isinstance(negative, Rule):
        found = negative
        return lambda epoch: found
    return negative


def _labels(dbn: DBN, labels: Labels, cases: int) -> Tensor:
    if dbn.labels is None:
        raise no_labels()
    return check_labels(labels, cases, dbn.labels.categories)


def _numbered(data: Any) -> Rows:
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError(f"wake-sleep takes data that can be visited by number: a tensor, array or Source, found {type(data).__name__}")
    return data

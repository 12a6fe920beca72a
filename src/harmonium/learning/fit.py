"""Learning an RBM or a deep Boltzmann machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from torch import Tensor

from harmonium.data.batches import ONCE, Stream
from harmonium.learning.cases import Data, Rows, as_batches
from harmonium.learning.contrast import Contrast, described_given
from harmonium.learning.defaults import default_optimizer, groups_of
from harmonium.learning.loop.plan import ORDER, MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Callback, train
from harmonium.learning.mean_field import mean_field_of, sweeps_of
from harmonium.learning.monitor import Monitor
from harmonium.learning.rules import ContrastiveDivergence, Rule
from harmonium.learning.start import make_slots, start
from harmonium.learning.transforms import Sparsity, Transform, chosen_transforms
from harmonium.models import DBM, RBM
from harmonium.seeds import derive
from harmonium.units import Given


def fit(
    model: RBM | DBM,
    data: Data,
    *,
    negative: Rule = ContrastiveDivergence(),  # noqa: B008 (frozen)
    epochs: int = 10,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: float = 0.0,
    sparsity: Sparsity | None = None,
    validation: Rows | None = None,
    sample_weight: Tensor | np.ndarray[Any, Any] | Sequence[float] | None = None,
    given: Given | None = None,
    validation_given: Given | None = None,
    sweeps: int | None = None,
    gradient: Literal["plain", "centred", "enhanced"] = "plain",
    standardise: bool = True,
    averaging: float | None = None,
    transforms: Sequence[Transform] = (),
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Learns `model` by following <∂E/∂θ>_data - <∂E/∂θ>_model, and returns the final training state (the model is changed in place).

    `data`: (cases, *visible.shape), a tensor, array or memory map of any type (uint8 stays uint8; a batch at a time is converted); a
    `Source`, such as `hm.data.binarise(images, "resampled")`; or any iterable of batches. Arrays are checked against the visible
    units' support before anything begins. Visible biases that are as they were made, all zero, start at the data's base rates (not for
    iterables).

    `negative`: how the model's particles are made, or a `Rule`. `optimizer`: parameter groups -> any `torch.optim` optimiser; by default
    fused SGD with momentum 0.9 and learning rate 0.01, 0.001 where a layer is real-valued or without end, 0.0001 where a Gaussian layer,
    rectified or not, faces an endless one and where hidden units are exponential. `standardise`: real-valued units take the steps that
    standardised data would have them take, so that neither the data's unit of measurement nor their mean matters (see
    `harmonium.learning.standard`), and learnt variances stay within a factor of 1,000 of the data's; other kinds are untouched by it. False
    follows the exact gradient.
    `gradient`: "centred" and "enhanced" learn in the parameters of the centred machine, which makes learning faster and indifferent to
    which state of a binary unit is called 1 (see `harmonium.learning.centring`); "plain" in the machine's own. Where `standardise` has
    something to do it centres already, and the others want standardise=False. `averaging`: keep the parameters' running mean over about
    this share of the steps so far, the last ones; `state.averaged()` gives the model with them.
    `schedule`: optimiser -> scheduler, stepped once an epoch. `weight_cost`: the optimiser's weight decay, on the couplings' weights
    only. `sample_weight`: (cases,), non-negative; a row of weight 2 counts as the row twice. `validation`: data for the free-energy gap.
    `given`, `validation_given`: what is given of each case, fields of (cases, ...) beside arrays or sources: where units are absent, or
    values missing, or contexts; NaN may stand in the gaps.
    Missing values are drawn anew at each visit, by `sweeps` of clamped Gibbs sampling from the biases' own draws, 5 by default; like CD's
    few steps, few sweeps bias learning. A deep Boltzmann machine's data are whole cases of its lowest layer; `sweeps` are of mean field,
    10 by default, in the positive phase; the figure `mean_field_change` shows whether these suffice. `seed`: of order and draws; the same
    seed, machine and thread count give the same bits. `state`: a state returned before, to train on to `epochs` in all. `checkpoint`: a
    file that is written after each epoch (and every half minute), and gone on from if it is there. `progress`: a progress bar; by default
    on a terminal only.

    ValueError for data the units cannot take, or a checkpoint of other settings; FloatingPointError if learning diverges.
    """
    deep = mean_field_of(model, negative, given, validation_given)
    like, machine, visible = next(model.parameters()).detach(), model.machine, model.visible
    sweeps = sweeps_of(deep, sweeps)
    batches = as_batches(visible, data, sample_weight, given, batch_size=batch_size, seed=derive(seed, ORDER), like=like)
    if isinstance(batches, Stream) and batches.once and epochs > 1:
        raise ValueError(ONCE)
    plan = Plan(epochs, optimizer, default_optimizer(machine, standardise), schedule, seed, callbacks, state, checkpoint, progress)
    monitor = Monitor(model, plan, batches, sweeps)
    if validation is not None:
        monitor.hold_out(as_batches(visible, validation, None, validation_given, batch_size=batch_size, seed=0, like=like))
    negative.check(machine, monitor.known)
    changes = chosen_transforms(machine, negative, monitor, sparsity, gradient, standardise, averaging, transforms)
    settings = {
        "batch_size": batch_size,
        "negative": described(negative),
        **described_given(given, sweeps, model),
        "gradient": gradient,
        "standardise": standardise,
        "averaging": averaging,
        "sparsity": None if sparsity is None else described(sparsity),
        "transforms": [described(each) for each in transforms],
    }
    training = plan.begin(model, groups_of(machine, weight_cost), batches, settings)
    if state is None:
        start(training, batches, changes)
    make_slots(training, changes, negative)
    plan.restore(training)
    step = Step(training, Contrast(training, negative, batches, sweeps), changes, machine)
    watchers, metrics = plan.watchers(), partial(monitor.metrics, training, negative)
    train(training, batches, step, metrics, epochs=epochs, callbacks=watchers, checkpoint=plan.path)
    for change, slots in step.transforms:
        change.report(machine, slots, training.step)
    return training

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
from harmonium.learning.dbm_phase import mean_field_of, sweeps_of
from harmonium.learning.defaults import default_optimizer, groups_of
from harmonium.learning.loop.plan import ORDER, MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Callback, train
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
    """Learns `model` in place by following <∂E/∂θ>_data - <∂E/∂θ>_model.

    Parameters
    ----------
    model
        An `RBM`, or a `DBM`, whose positive phase is mean field.
    data
        (cases, *visible.shape): a tensor, array or memory map of any type (uint8 stays uint8; a batch at a time is converted); a `Source`,
        such as `hm.data.binarise(images, "resampled")`; or an iterable of batches, or of (batch, weights) pairs. Arrays are checked against
        the visible units' support before anything begins. Visible biases that are as they were made, all zero, start at the data's
        base rates (not for iterables). A deep Boltzmann machine's data are whole cases of its lowest layer.
    negative
        The learning rule: how the model's half of the gradient is made.
    epochs, batch_size
        Epochs in all, those of a `state` or checkpoint included; cases of a mini-batch.
    optimizer
        Parameter groups -> any `torch.optim` optimiser; by default fused SGD with momentum 0.9 and learning rate 0.01, 0.001 where a layer
        is real-valued or without end, 0.0001 where a Gaussian layer, rectified or not, faces an endless one and where hidden units
        are exponential.
    schedule
        Optimiser -> scheduler, stepped once an epoch.
    weight_cost
        The optimiser's weight decay, on the couplings' weights only.
    sparsity
        A target for the hidden units' mean activity.
    validation, validation_given
        Data for the free-energy gap, and what is given of them.
    sample_weight
        (cases,), non-negative; a row of weight 2 counts as the row twice, one of weight 0 is left out, whatever it holds.
    given
        What is given of each case, fields of (cases, ...) beside arrays or sources: where units are absent, or values missing, or contexts;
        NaN may stand in the gaps. Missing values are drawn anew at each visit.
    sweeps
        Of clamped Gibbs sampling, which draws missing values (5 by default; few sweeps bias learning, as CD's few steps do), or of a deep
        machine's mean field (10 by default; the metric `mean_field_change` shows whether they suffice).
    gradient
        "centred" and "enhanced" learn in the parameters of the centred machine, which makes learning faster and indifferent to which state
        of a binary unit is called 1 (see `harmonium.learning.transforms.centring`); "plain" in the machine's own.
    standardise
        Real-valued units take the steps that standardised data would have them take, so that neither the data's unit of measurement nor
        their mean matters (see `harmonium.learning.transforms.standardising`), and learnt variances stay within a factor of 1,000 of
        the data's. It centres already: where it has something to do, `gradient` is "plain". False follows the exact gradient.
    averaging
        Keep the parameters' running mean over about this share of the steps so far, the last ones; `state.averaged()` gives the model
        with them.
    transforms
        Gradient transforms of one's own.
    seed
        Of order and draws; the same seed, machine and thread count give the same bits.
    callbacks
        What to do after steps and epochs.
    state
        A state returned before, to go on from, with its optimiser and schedule.
    checkpoint
        A file that is written after each epoch (and every half minute), and resumed from if it is there.
    progress
        A progress bar; by default on a terminal only.

    Returns
    -------
    TrainingState
        The final state, whose `history` has a row of metrics an epoch.

    Raises
    ------
    ValueError
        For data the units cannot take, or a checkpoint of other settings.
    TypeError
        For a model that it does not learn.
    FloatingPointError
        If learning diverges; the last checkpoint is kept.

    Notes
    -----
    Weights that leave the region in which the machine has a partition function are pulled back, with one warning at the end
    (`harmonium.learning.transforms.KeepNormalisable`).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rows = torch.eye(6).repeat(20, 1)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(8))
    >>> state = hm.fit(rbm, rows, negative=hm.PersistentCD(chains=50), epochs=3, progress=False)
    >>> state.epoch, len(state.history)
    (3, 3)
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

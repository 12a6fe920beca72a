"""Training an RBM or a deep Boltzmann machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from torch import Tensor

from harmonium.couplings.products import Precision, described_type, reduced_type
from harmonium.learning import advice
from harmonium.learning.cases import Data, Rows, as_batches
from harmonium.learning.contrast import Contrast, phase_of
from harmonium.learning.cooling import cooling
from harmonium.learning.defaults import defaults_of, groups_of, rule_of
from harmonium.learning.held_out import early_stopping
from harmonium.learning.length import Length, epochs_of
from harmonium.learning.loop.graph import captured
from harmonium.learning.loop.plan import ORDER, MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described, of_transforms
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Actions, train
from harmonium.learning.monitor import Monitor
from harmonium.learning.placing import Device, place
from harmonium.learning.replicas.dispatch import or_replicas
from harmonium.learning.replicas.fit_replicas import fit_replicas
from harmonium.learning.rules import ContrastiveDivergence, Rule
from harmonium.learning.start import make_slots, start
from harmonium.learning.transforms import Sparsity, Transform, chosen_transforms
from harmonium.models import DBM, RBM
from harmonium.seeds import derive
from harmonium.units import NOTHING, Given


@or_replicas(fit_replicas)
def fit(
    model: RBM | DBM,
    data: Data,
    *,
    negative: Rule | None = None,
    epochs: int | None = None,
    updates: int | None = None,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: float | None = None,
    sparsity: Sparsity | None = None,
    validation: Rows | None = None,
    patience: int | None = None,
    sample_weight: Tensor | np.ndarray[Any, Any] | Sequence[float] | None = None,
    given: Given = NOTHING,
    validation_given: Given = NOTHING,
    sweeps: int | None = None,
    gradient: Literal["plain", "centred", "enhanced"] | None = None,
    standardise: bool = True,
    averaging: float | None = None,
    transforms: Sequence[Transform] = (),
    precision: Precision = "float32",
    device: Device | None = None,
    capture: bool = False,
    seed: int = 0,
    callbacks: Actions = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Train `model` in place along <∂E/∂θ>_data - <∂E/∂θ>_model.

    Parameters
    ----------
    model : RBM or DBM
        The model. The positive phase of a `DBM` is mean field. `Replicas` of RBMs are trained together, each as alone: see the notes.
    data : Tensor, array, Source or iterable
        Cases, (cases, *visible.shape), of any type. uint8 data stay uint8 and are converted a batch at a time. A `Source`, such as
        `hm.data.binarise(images, "resampled")`, a sparse matrix (of SciPy or PyTorch), or an iterable of batches, or of (batch, weights)
        pairs, is taken too. Arrays in memory are checked against the visible units' support before training begins; rows of memory maps,
        sparse matrices and sources when they are visited. Visible biases that still have their initial values, all zero, start at
        the data's base rates (not for iterables). The data of a deep Boltzmann machine are complete cases of its lowest layer.
    negative : Rule, optional
        The learning rule, which makes the model's part of the gradient. The default is `ContrastiveDivergence()`, and
        `PersistentCD` in longer trainings of binary units. See the notes.
    epochs : int, optional
        Number of epochs in all, those of a `state` or checkpoint included.
    updates : int, optional
        Number of updates in all, in place of `epochs`, rounded up to whole epochs. By default 3,000; 10 epochs of an iterable, whose length
        is not known.
    batch_size : int, default 100
        Cases per mini-batch, those of all processes together. It need not divide the number of cases.
    optimizer : callable, optional
        Parameter groups -> any `torch.optim` optimiser. The default is fused SGD with momentum 0.9, whose rate is chosen from the data, the
        units and the number of updates, and falls linearly to zero. See the notes.
    schedule : callable, optional
        Optimiser -> scheduler, stepped once per epoch. With one, the default rate does not fall by itself.
    weight_cost : float, optional
        Weight decay of the optimiser, on the couplings' weights only. The default is 1 / cases, at most 0.001, between bounded units whose
        data are states, and 0 for others, and with an optimiser or a schedule of your own.
    sparsity : Sparsity, optional
        A target for the hidden units' mean activity.
    validation, validation_given : optional
        Data for the free-energy gap, and what is given of them.
    patience : int, optional
        End training after this many epochs without a better mean log-likelihood of held-out cases, and end with the weights of the best
        epoch. The held-out cases are those of an `HeldOut` among the callbacks, or else of `validation`. The figure is exact or estimated,
        as `HeldOut` says.
    sample_weight : sequence of float, optional
        Non-negative weights, (cases,). A row of weight 2 counts as two rows. A row of weight 0 is left out, whatever it holds.
    given : Given, optional
        What is given of each case, fields of (cases, ...): absent units, missing values, or contexts. It goes with arrays or sources. NaN
        may stand in the gaps. Missing values are drawn anew at each visit.
    sweeps : int, optional
        Sweeps of clamped Gibbs sampling, which draws missing values (5 by default; few sweeps bias learning, as few steps of CD do), or
        sweeps of a deep machine's mean field (10 by default; the metric `mean_field_change` shows whether they suffice).
    gradient : {"plain", "centred", "enhanced"}, optional
        "plain" learns in the machine's own parameters. "centred" and "enhanced" learn in those of the centred machine. That makes learning
        faster and invariant to which state of a binary unit is called 1 (see `harmonium.learning.Centring`). The default is "plain" with an
        optimiser or a schedule of your own, and otherwise "centred" where that applies.
    standardise : bool, default True
        Real-valued units take the steps that standardised data would give. So neither the unit of measurement nor the mean of the data
        matters (see `harmonium.learning.StandardForm`), and learned variances stay within a factor of 1,000 of the data's. It already
        centres: where it applies, `gradient` is "plain". False follows the exact gradient.
    averaging : float, optional
        Keep the running mean of the parameters over about this share of the steps so far, the last ones. `state.averaged()` returns the
        model with them.
    transforms : sequence of Transform, optional
        Gradient transforms of your own.
    precision : {"float32", "bfloat16", "auto"}, default "float32"
        Precision of the products with weights in an update. "bfloat16" rounds their factors to 8 binary digits and adds up in float32:
        several times as fast on processors that have instructions for it. "auto" takes it on those alone, for float32 parameters.
        Parameters, their updates, metrics and likelihoods are in the parameters' own type. See `harmonium.couplings.Reduced`.
    device : {"cpu", "cuda", "auto"} or torch.device, optional
        Move the model there first, in place; "auto" is a GPU if there is one. By default the model stays where it is. Data in memory are
        kept on a GPU if they take at most half of its free memory.
    capture : bool, default False
        On a GPU, record the second update of each epoch as a CUDA graph and replay it for those after it: small updates then no longer wait
        for the host. The draws and the results are the same, but for rates that change inside an epoch, as the default one does: they take
        effect at the next.
    seed : int, default 0
        Seed of the order and of all draws. The same seed, machine and number of threads and processes give the same bits.
    callbacks : Callback or callable, or a list of them, optional
        Actions after steps and epochs. A plain function, such as `print`, is called with the state after each epoch.
    state : TrainingState, optional
        A state that `fit` returned, to continue from, with its optimiser and schedule.
    checkpoint : path-like, optional
        A file that is written after each epoch (and every half minute), and resumed from if it exists. Another number of processes resumes
        it with other draws, so that the results agree statistically.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    TrainingState
        The final state. Its `history` has one row of metrics per epoch.

    Raises
    ------
    ValueError
        For data that the units cannot take, for settings that cannot be combined, or for a checkpoint with other settings.
    TypeError
        For a model that `fit` does not train.
    FloatingPointError
        If learning diverges. The last checkpoint is kept.

    Notes
    -----
    *The default rule* is CD-1. Trainings of at least 1,000 updates have chains that begin anew now and then,
    `PersistentCD(renewal=0.1)`, if units are bounded (binary, spins, categories, binomial), couplings are dense, neither an optimiser nor a
    schedule is named, nothing is given of the cases, and they are no stream; those of at least 10,000 have `PersistentCD()` if all layers
    are binary. Shorter ones have `PersistentCD(renewal=0.3)` with binary hidden units, but for RBMs of binary units on both sides.
    Real-valued data and counts without a bound have the same if hidden units are few: 10 for 300 updates, 100 for 3,000. A training that
    goes on keeps its rule. Figures are in the guide's page on the defaults.

    *The default rate*, for an RBM with a dense coupling, is the lower of c / λ and 0.5, times √(300 / updates) over more than 300
    updates. λ is the largest eigenvalue of the covariance of the visible units' statistics; c is 0.8, and 0.1 with unbounded hidden units.
    With real-valued visible units it is the lower of c / λ and 0.08 / √λ, the latter times 300 / updates over more than 300, with λ of the
    standardised data and c of 0.3, or 0.05 with unbounded hidden units; if ten epochs have more than 300 updates, they take their place for
    bounded hidden units. Rules with persistent chains, which have to follow, have a quarter of c, but with few hidden units of real-valued
    data, and deep Boltzmann machines half of it by CD. Exponential hidden units, and documents (`ReplicatedSoftmax`), learn by Adam, with
    the rate 0.02 times the same root; for documents of more than 200 words on average it is 4 / words in place of 0.02. The rate is fixed
    for other couplings, deep Boltzmann machines with a real-valued or unbounded layer, streams, rectified or exponential visible units, and
    real-valued data with `standardise=False`: 0.01; 0.001 if a layer is real-valued or unbounded; 0.0001 if a Gaussian layer faces an
    unbounded one, or hidden units are exponential.

    Weights that leave the region in which the machine has a partition function are moved back, with one warning at the end
    (`harmonium.learning.transforms.KeepNormalisable`).

    `Replicas` learn by contrastive divergence, the default at any length, or by persistent CD with Gibbs sampling; their rates, weight
    costs and seeds are as for `fine_tune`. The result is a `ReplicaState`.

    *Several processes*, started by `torchrun`, learn one model: each visits its part of every batch, and one all-reduce an update adds up
    the gradients. The processes are joined by gloo, and by nccl for a model on a GPU. The first one writes, warns and shows progress.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rows = torch.eye(6).repeat(20, 1)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(8))
    >>> state = hm.fit(rbm, rows, negative=hm.PersistentCD(chains=50), epochs=3, progress=False)
    >>> state.epoch, len(state.history)
    (3, 3)
    """
    place(model, device, state)
    infer = phase_of(model, ContrastiveDivergence() if negative is None else negative, sweeps, given, validation_given)
    like, machine, visible = next(model.parameters()).detach(), model.machine, model.visible
    batches = as_batches(visible, data, sample_weight, given, batch_size=batch_size, seed=derive(seed, ORDER), like=like)
    plan = Plan(epochs_of(epochs, updates, batches), optimizer, schedule, seed, callbacks, state, checkpoint, progress)
    held = None if validation is None else as_batches(visible, validation, None, validation_given, batch_size=batch_size, seed=0, like=like)
    monitor = Monitor(visible, infer, plan, batches, held)
    rule, length = negative, Length.of(plan.epochs, len(batches), batch_size)
    if rule is None:
        rule = rule_of(model, monitor.known, length, plan.chosen, plan.before.get("negative"), standardise)
    usual = defaults_of(model, monitor.some, length, standardise, rule, plan.chosen)
    changes = chosen_transforms(machine, rule, monitor, sparsity, gradient or usual.gradient, standardise, averaging, transforms)
    settings = {"batch_size": batch_size, "negative": described(rule), "precision": described_type(precision, like), "falls": usual.falls}
    settings |= infer.settings(given) | of_transforms(sparsity, gradient or usual.gradient, standardise, averaging, transforms)
    training = plan.begin(model, groups_of(machine, usual.cost if weight_cost is None else weight_cost), batches, settings, usual.optimizer)
    if state is None:
        start(training, machine, visible, batches, changes)
    make_slots(training, machine, changes, rule)
    plan.restore(training)
    step = Step(training, Contrast(training, machine, infer, rule, batches), changes, machine, reduced_type(precision, like))
    watchers, kept = early_stopping(plan, patience, validation, validation_given, first=[*usual.watchers, *cooling(model, monitor.some)])
    metrics = partial(monitor.metrics, training, rule)
    train(training, batches, captured(step, capture), metrics, epochs=plan.epochs, callbacks=watchers, checkpoint=plan.path, chosen=kept)
    step.report()
    advice.of_training(training, model, monitor)
    return training

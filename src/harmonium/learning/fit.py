"""Learning an RBM."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from harmonium.learning.averaging import Averaging
from harmonium.learning.batches import ONCE, Batches, Stream, derive
from harmonium.learning.cases import Data, Rows, as_batches, for_base_rates
from harmonium.learning.centring import Centring
from harmonium.learning.contrastive import ContrastiveDivergence, Negative, Rule, check_unpaired
from harmonium.learning.mean_field import SWEEPS, check_deep, data_layer, dbm_figures
from harmonium.learning.momentum import MomentumSGD
from harmonium.learning.monitors import rbm_figures
from harmonium.learning.progress import Progress
from harmonium.learning.schedules import Scheduler
from harmonium.learning.sparsity import Sparsity
from harmonium.learning.standard import StandardForm
from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback, fresh_generator, train
from harmonium.models import DBM, RBM, Phase
from harmonium.models.normalisable import leaves
from harmonium.sampling.clamped import draw_missing
from harmonium.sampling.gaps import fill, gaps
from harmonium.units import Bernoulli, Exponential, Given, Softmax, Unit
from harmonium.units.scaled import Scaled

ORDER, DRAWS, MONITOR = range(3)  # what a seed is for
STARTING = 10_000  # cases that the visible biases start from, at most
OF_MISSING = 5  # sweeps of clamped Gibbs sampling, where nothing else is asked for
MONITORED = 1000  # cases that the figures of an epoch are computed on

OFFSETS: dict[str, Any] = {"plain": None, "centred": "data", "enhanced": "both"}  # of each gradient

MakeOptimizer = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


def fit(
    model: RBM,
    data: Data,
    *,
    negative: Negative | Rule = ContrastiveDivergence(),  # noqa: B008 (frozen)
    epochs: int = 10,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: Callable[[torch.optim.Optimizer], Scheduler] | None = None,
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
    like = next(model.parameters()).detach()
    deep, visible = isinstance(model, DBM), data_layer(model)
    if isinstance(model, DBM):
        check_deep(model, negative, given, validation_given)
    sweeps = (SWEEPS if deep else OF_MISSING) if sweeps is None else sweeps
    if sweeps < 1:
        what = "mean field takes at least one sweep" if deep else "missing values take at least one sweep of clamped Gibbs sampling"
        raise ValueError(f"{what}, found sweeps={sweeps}")
    batches = as_batches(visible, data, sample_weight, given, batch_size=batch_size, seed=derive(seed, ORDER), like=like)
    generator = fresh_generator(like, derive(seed, DRAWS))
    training, training_given = _monitored(visible, batches, like, seed)
    known = training_given if training is None else visible.given_by(training, training_given)
    if isinstance(negative, Rule):
        negative.check(model, known)
    elif not negative.paired:
        check_unpaired(known)
    held, held_given = None, None
    if validation is not None:
        held_out = as_batches(visible, validation, None, validation_given, batch_size=batch_size, seed=0, like=like)
        held, held_given = _monitored(visible, held_out, like, seed)
        if held is None:
            raise ValueError("validation takes data that can be visited by number: a tensor, array or Source")
    if isinstance(batches, Stream) and batches.once and epochs > 1:
        raise ValueError(ONCE)
    if sparsity is not None and any(not isinstance(leaf, Bernoulli | Softmax) for _, _, leaf in leaves(model.hidden)):
        raise ValueError(
            "a sparsity target is the share of the time that a hidden unit is on: Bernoulli and Softmax units have one, found "
            + ", ".join(sorted({type(leaf).__name__ for _, _, leaf in leaves(model.hidden)}))
        )
    form = None
    if standardise and StandardForm.changes(model):
        rows = None if training is None else for_base_rates(visible, training, None, training_given)
        if rows is not None and isinstance(model, DBM):
            rows = model.mean_field(rows).phase.v
        form = StandardForm(model, rows)
    if gradient not in OFFSETS:
        raise ValueError(f"gradient is one of {', '.join(map(repr, OFFSETS))}, found {gradient!r}")
    if form is not None and gradient != "plain":
        raise ValueError(f"real-valued units are centred by standardise=True; for gradient={gradient!r} give standardise=False")
    if gradient == "enhanced" and isinstance(negative, Rule) and not negative.contrasts:
        raise ValueError(f'{type(negative).__name__} has no means of the model that an enhanced gradient could use; "centred" needs none')
    centring = None if gradient == "plain" else Centring(model, OFFSETS[gradient])
    average = None if averaging is None else Averaging(averaging)
    fresh = False
    if state is None:
        if isinstance(batches, Batches) and _as_made(visible):
            rows, shares, side = batches.some(STARTING, generator)
            visible.init_from(for_base_rates(visible, rows, shares, side), shares)
            if form is not None:
                form.start()
            fresh = True
        groups = [
            {"params": list(model.coupling.parameters()), "weight_decay": weight_cost},
            {"params": [*model.visible.parameters(), *model.hidden.parameters()], "weight_decay": 0.0},
        ]
        made = (optimizer or default_optimizer(model, standardise))(groups)
        cases = batches.cases if isinstance(batches, Batches) else None
        kinds = sorted(name for name, field in vars(given or Given()).items() if field is not None)
        settings: dict[str, Any] = {
            "seed": seed,
            "batch_size": batch_size,
            "cases": cases,
            "negative": repr(negative),
            "given": kinds or None,
        }
        settings["sweeps"] = sweeps if deep or "missing" in kinds else None
        settings |= {"standardise": None if form is None else True, "gradient": None if centring is None else gradient}
        settings["averaging"] = averaging
        state = TrainingState(model, made, generator, settings)
        state.schedule = schedule(made) if schedule is not None else None
        if centring is not None:
            centring.start(state, shift=fresh)
        if average is not None:
            average.start(state)
        state.chains = negative.start(model, generator)
        state.activity = None if sparsity is None else torch.full(model.hidden.shape, sparsity.target).to(like)
        if checkpoint is not None and Path(checkpoint).exists():
            state.restore(checkpoint)
    elif state.model is not model:
        raise ValueError("the state given is that of another model: a state holds the model it trains, fit(state.model, ...)")
    running = state

    def learning_signal(v: Tensor, weights: Tensor | None = None, side: Given | None = None) -> None:
        data: Tensor | Phase
        if isinstance(model, DBM):
            data = model.mean_field(v, sweeps=sweeps).phase
        else:
            data, side = draw_missing(model, v, side, steps=sweeps, generator=running.generator)
        contrastive_gradient(model, data, weights, negative, running, sparsity, side, centring)
        if centring is not None:
            centring.gradient(running)
        if form is not None:
            form.gradient()
        if isinstance(negative, Rule):
            negative.after(model, running, [part for part in (form, centring) if part is not None])

    def figures() -> dict[str, float]:
        _warn_if_not_normalisable(model, running, known)
        own = negative.figures(running) if isinstance(negative, Rule) else {}
        if training is None:
            return own
        if isinstance(model, DBM):
            return dbm_figures(model, training, held, sweeps=sweeps) | own
        draws = fresh_generator(like, derive(seed, MONITOR, running.epoch))
        beside = {"given": training_given, "validation_given": held_given}
        return rbm_figures(model, training, held, generator=draws, sweeps=sweeps, **beside) | own

    shown = [Progress()] if progress or (progress is None and Progress.wanted()) else []
    first = [part for part in (form, centring, average) if part is not None]
    path = None if checkpoint is None else Path(checkpoint)
    return train(state, batches, learning_signal, figures, epochs=epochs, callbacks=[*first, *callbacks, *shown], checkpoint=path)


@torch.no_grad()
def contrastive_gradient(
    model: RBM,
    v: Tensor | Phase,
    weights: Tensor | None,
    negative: Negative | Rule,
    state: TrainingState,
    sparsity: Sparsity | None = None,
    given: Given | None = None,
    centring: Centring | None = None,
) -> None:
    """Writes <∂E/∂θ>_data - <∂E/∂θ>_model into every `.grad`; each average is divided by its own total weight. (Or what a `Rule` writes.)

    `v`: (cases, *visible.shape), missing values filled in, or what a pass has made of them (a deep Boltzmann machine's mean field);
    `weights`: (cases,) or None; `given`: what is given of each case.
    """
    given = model.visible.given_by(v.v if isinstance(v, Phase) else v, given)
    data = v if isinstance(v, Phase) else model.infer(v, given)
    scale, total = 1 / len(data.v), None if weights is None else weights.sum()
    if weights is not None and total is not None:  # as shares, which stay on the device; a batch of no weight teaches nothing
        weights, scale = weights / total.clamp_min(torch.finfo(total.dtype).tiny), 1.0
    if centring is not None:
        centring.observe(state, data, None if total is None else weights)
    if isinstance(negative, Rule):
        negative.gradient(model, data, weights, scale=scale, state=state, given=given)
    else:
        particles = negative.particles(model, data, state.chains, generator=state.generator, given=given)
        model.accumulate_gradient(data, weights=weights, scale=scale, fresh=True, given=given)
        if negative.paired:
            model.accumulate_gradient(model.infer(particles, given), weights=weights, scale=-scale, given=given)
        else:
            borne = None if total is None else (total > 0).to(particles).expand(len(particles))
            model.accumulate_gradient(model.infer(particles), weights=borne, scale=-1 / len(particles))
    if centring is not None:
        centring.contrast(state)
    if sparsity is not None:
        assert state.activity is not None
        sparsity.accumulate_gradient(model, data, weights, state.activity, given)


def _monitored(visible: Unit, batches: Batches | Stream, like: Tensor, seed: int) -> tuple[Tensor | None, Given | None]:
    """Some rows to compute figures on, and what is given of them; none of a stream. A source's rows are checked here."""
    found = batches.some(MONITORED, fresh_generator(like, derive(seed, MONITOR)))
    if not found:
        return None, None
    rows, _, side = found
    visible.check(fill(visible, rows, gaps(side)))
    return rows, side


def _as_made(unit: Unit) -> bool:
    """Whether a layer's biases, or all parameters of units that have none, are still those that it was made with."""
    for _, _, leaf in leaves(unit):
        made = type(leaf)(**leaf.arguments())  # type: ignore[arg-type]
        names = [name for name, _ in leaf.named_parameters()]
        biases = [name for name in names if name.endswith("bias")]
        if not all(
            torch.equal(leaf.get_parameter(name), made.get_parameter(name).to(leaf.get_parameter(name))) for name in biases or names
        ):
            return False
    return True


def _warn_if_not_normalisable(model: RBM, state: TrainingState, given: Given | None) -> None:
    """Once an epoch: a machine without a partition function may be learnt for a while, but nobody should be unaware of it."""
    if not (model.visible.joint and model.hidden.joint):
        return
    try:
        model.check_normalisable(given)
    except ValueError as error:
        warnings.warn(f"after epoch {state.epoch}: {error}", RuntimeWarning, stacklevel=2)


def default_optimizer(model: RBM, standardise: bool = True) -> MakeOptimizer:
    """Fused SGD with momentum, slower where a layer is real-valued or unbounded, and where one step too far ends in an input that an
    exponential unit cannot bear."""
    layers = [[leaf for _, _, leaf in leaves(unit)] for unit in (model.visible, model.hidden)]
    endless = [any(leaf.count == math.inf for leaf in layer) for layer in layers]
    scaled = any(isinstance(leaf, Scaled) for layer in layers for leaf in layer)
    brittle = any(isinstance(leaf, Exponential) for leaf in layers[1])
    rate = 1e-4 if brittle or (scaled and (all(endless) or not standardise)) else 1e-3 if any(endless) else 1e-2
    return partial(MomentumSGD, lr=rate, momentum=0.9)

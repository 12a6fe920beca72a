"""Learning an RBM."""

from __future__ import annotations

import dataclasses
import math
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.learning.batches import BLOCK, ONCE, ArrayRows, Batches, MappedRows, Source, Stream, derive
from harmonium.learning.contrastive import ContrastiveDivergence, Negative
from harmonium.learning.momentum import MomentumSGD
from harmonium.learning.monitors import rbm_figures
from harmonium.learning.progress import Progress
from harmonium.learning.schedules import Scheduler
from harmonium.learning.sparsity import Sparsity
from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback, fresh_generator, train
from harmonium.models import RBM
from harmonium.models.normalisable import leaves
from harmonium.units import Bernoulli, Gaussian, Given, Softmax, Unit

ORDER, DRAWS, MONITOR = range(3)  # what a seed is for
STARTING = 10_000  # cases that the visible biases start from, at most
MONITORED = 1000  # cases that the figures of an epoch are computed on

MakeOptimizer = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
Data = Tensor | np.ndarray[Any, Any] | Source | Iterable[Any]


def fit(
    model: RBM,
    data: Data,
    *,
    negative: Negative = ContrastiveDivergence(),  # noqa: B008 (frozen)
    epochs: int = 10,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: Callable[[torch.optim.Optimizer], Scheduler] | None = None,
    weight_cost: float = 0.0,
    sparsity: Sparsity | None = None,
    validation: Tensor | np.ndarray[Any, Any] | Source | None = None,
    sample_weight: Tensor | np.ndarray[Any, Any] | Sequence[float] | None = None,
    given: Given | None = None,
    validation_given: Given | None = None,
    sweeps: int = 5,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Learns `model` by following <∂E/∂θ>_data - <∂E/∂θ>_model, and returns the final training state (the model is changed in place).

    `data`: (cases, *visible.shape), a tensor, array or memory map of any type (uint8 stays uint8; a batch at a time is converted); a
    `Source`, such as `hm.data.binarise(images, "resampled")`; or any iterable of batches. Arrays are checked against the visible
    units' support before anything begins. If the visible biases are all zero they start at the data's base rates (not for iterables).

    `negative`: how the model's particles are made. `optimizer`: parameter groups -> any `torch.optim` optimiser; by default fused SGD
    with momentum 0.9 and learning rate 0.01, or 0.0001 with Gaussian units. `schedule`: optimiser -> scheduler, stepped once an epoch.
    `weight_cost`: the optimiser's weight decay, on the couplings' weights only. `sample_weight`: (cases,), non-negative; a row of
    weight 2 counts as the row twice. `validation`: data for the free-energy gap. `given`, `validation_given`: what is given of each case,
    fields of (cases, ...) beside arrays or sources: where units are absent, or their values missing (these are drawn by `sweeps` of
    clamped Gibbs sampling at each visit), or contexts; NaN may stand in the gaps. `seed`: of order and draws; the same seed, machine and
    thread count give the same bits. `state`: a state returned before, to train on to `epochs` in all. `checkpoint`: a file that
    is written after each epoch (and every half minute), and gone on from if it is there. `progress`: a progress bar; by default on a
    terminal only.

    ValueError for data the units cannot take, or a checkpoint of other settings; FloatingPointError if learning diverges.
    """
    like = next(model.parameters()).detach()
    batches = as_batches(model, data, sample_weight, given, batch_size=batch_size, seed=derive(seed, ORDER), like=like)
    generator = fresh_generator(like, derive(seed, DRAWS))
    fields = _fields(given)

    def unpack(v: Tensor, *others: Tensor) -> tuple[Tensor, Tensor | None, Given | None]:
        """A batch as states, weights and what is given."""
        weights = others[0] if len(others) > len(fields) else None
        side = Given(**dict(zip(fields, others[len(others) - len(fields) :], strict=True))) if fields else None
        return v, weights, side

    seen = batches.some(MONITORED, fresh_generator(like, derive(seed, MONITOR)))
    training, _, training_given = unpack(*seen) if seen else (None, None, None)
    if training is not None:
        model.visible.check(_filled(model.visible, training, training_given))  # a source is seen here first; arrays were checked whole
    if isinstance(batches, Stream) and batches.once and epochs > 1:
        raise ValueError(ONCE)
    if sparsity is not None and any(not isinstance(leaf, Bernoulli | Softmax) for _, _, leaf in leaves(model.hidden)):
        raise ValueError(
            "a sparsity target is the share of the time that a hidden unit is on: Bernoulli and Softmax units have one, found "
            + ", ".join(sorted({type(leaf).__name__ for _, _, leaf in leaves(model.hidden)}))
        )
    held_out = None if validation is None else _some(model, validation, validation_given, like, seed)
    if state is None:
        if training is not None and not any(bool(p.any()) for name, p in model.visible.named_parameters() if name.endswith("bias")):
            start, start_weights, start_given = unpack(*batches.some(STARTING, generator))
            model.visible.init_from(_with_means(start, start_given), start_weights)
        groups = [
            {"params": list(model.coupling.parameters()), "weight_decay": weight_cost},
            {"params": [*model.visible.parameters(), *model.hidden.parameters()], "weight_decay": 0.0},
        ]
        made = (optimizer or default_optimizer(model))(groups)
        cases = batches.cases if isinstance(batches, Batches) else None
        state = TrainingState(model, made, generator, {"seed": seed, "batch_size": batch_size, "cases": cases, "negative": repr(negative)})
        state.schedule = schedule(made) if schedule is not None else None
        state.chains = negative.start(model, generator)
        state.activity = None if sparsity is None else torch.full(model.hidden.shape, sparsity.target).to(like)
        if checkpoint is not None and Path(checkpoint).exists():
            state.restore(checkpoint)
    elif state.model is not model:
        raise ValueError("the state given is that of another model: a state holds the model it trains, fit(state.model, ...)")
    running = state

    def gradient(*batch: Tensor) -> None:
        v, weights, side = unpack(*batch)
        if side is not None:
            v, side = complete(model, v, side, sweeps=sweeps, generator=running.generator)
        contrastive_gradient(model, v, weights, negative, running, sparsity, side)

    def figures() -> dict[str, float]:
        _warn_if_not_normalisable(model, running)
        if training is None:
            return {}
        draws = fresh_generator(like, derive(seed, MONITOR, running.epoch))
        (v, side), (held, held_side) = (
            (rows, row_given) if rows is None else complete(model, rows, row_given, sweeps=sweeps, generator=draws)
            for rows, row_given in ((training, training_given), held_out or (None, None))
        )
        assert v is not None
        return rbm_figures(model, v, held, generator=draws, given=side, validation_given=held_side)

    shown = [Progress()] if progress or (progress is None and Progress.wanted()) else []
    path = None if checkpoint is None else Path(checkpoint)
    return train(state, batches, gradient, figures, epochs=epochs, callbacks=[*callbacks, *shown], checkpoint=path)


@torch.no_grad()
def contrastive_gradient(
    model: RBM,
    v: Tensor,
    weights: Tensor | None,
    negative: Negative,
    state: TrainingState,
    sparsity: Sparsity | None = None,
    given: Given | None = None,
) -> None:
    """Writes <∂E/∂θ>_data - <∂E/∂θ>_model into every `.grad`; each average is divided by its own total weight.

    `v`: (cases, *visible.shape), missing values filled in; `weights`: (cases,) or None; `given`: what is given of each case.
    """
    given = model.visible.given_by(v, given)
    data = model.infer(v, given)
    scale, total = 1 / len(v), None if weights is None else weights.sum()
    if weights is not None and total is not None:  # as shares, which stay on the device; a batch of no weight teaches nothing
        weights, scale = weights / total.clamp_min(torch.finfo(total.dtype).tiny), 1.0
    particles = negative.particles(model, data, state.chains, generator=state.generator, given=given)
    model.accumulate_gradient(data, weights=weights, scale=scale, fresh=True, given=given)
    if negative.paired:
        model.accumulate_gradient(model.infer(particles, given), weights=weights, scale=-scale, given=given)
    else:
        borne = None if total is None else (total > 0).to(particles).expand(len(particles))
        model.accumulate_gradient(model.infer(particles), weights=borne, scale=-1 / len(particles))
    if sparsity is not None:
        assert state.activity is not None
        sparsity.accumulate_gradient(model, data, weights, state.activity)


@torch.no_grad()
def complete(model: RBM, v: Tensor, given: Given | None, *, sweeps: int, generator: torch.Generator) -> tuple[Tensor, Given | None]:
    """Missing values drawn from the model by clamped Gibbs sampling that starts at its biases' own draws: the whole states, and what is
    given of them besides. Cases without gaps are as they were."""
    if given is None or given.missing is None:
        return v, given
    start = model.visible.sample(model.visible.blank(len(v)), generator=generator, given=given)
    start = torch.where(given.missing.bool(), start, v)
    return model.gibbs(start, steps=sweeps, generator=generator, given=given), given.whole()


def _warn_if_not_normalisable(model: RBM, state: TrainingState) -> None:
    """Once an epoch: a machine without a partition function may be learnt for a while, but nobody should be unaware of it."""
    if not (model.visible.joint and model.hidden.joint):
        return
    try:
        model.check_normalisable()
    except ValueError as error:
        warnings.warn(f"after epoch {state.epoch}: {error}", RuntimeWarning, stacklevel=2)


def default_optimizer(model: RBM) -> MakeOptimizer:
    """Fused SGD with momentum, slower where a layer is real-valued or unbounded."""
    kinds = [leaf for unit in (model.visible, model.hidden) for _, _, leaf in leaves(unit)]
    rate = 1e-4 if any(isinstance(leaf, Gaussian) for leaf in kinds) else 1e-3 if any(leaf.count == math.inf for leaf in kinds) else 1e-2
    return partial(MomentumSGD, lr=rate, momentum=0.9)


def _fields(given: Given | None) -> list[str]:
    """The names of what is given."""
    return [] if given is None else [f.name for f in dataclasses.fields(given) if getattr(given, f.name) is not None]


def _gaps(given: Given | None) -> Tensor | None:
    """Where the visible units are absent or missing, or None."""
    if given is None or (given.present is None and given.missing is None):
        return None
    return ~given.present.bool() if given.present is not None else given.missing.bool()  # type: ignore[union-attr]


@torch.no_grad()
def _filled(unit: Unit, rows: Tensor, given: Given | None) -> Tensor:
    """Rows with a state of the unit put in every gap, to be checked."""
    gaps = _gaps(given)
    return rows if gaps is None else torch.where(gaps.to(rows.device), unit.mode(unit.blank()).to(rows), rows)


def _with_means(rows: Tensor, given: Given | None) -> Tensor:
    """Rows with the mean of what was seen of a unit put in its gaps, so that biases may start from them."""
    gaps = _gaps(given)
    if gaps is None:
        return rows
    seen = torch.where(gaps, torch.zeros_like(rows), rows)
    return torch.where(gaps, seen.sum(0) / (~gaps).sum(0).clamp_min(1), rows)


def as_rows(model: RBM, data: Tensor | np.ndarray[Any, Any] | Source, like: Tensor, given: Given | None = None) -> Source:
    """Data as a source that gives the visible units' rows; arrays are checked against the units' support, whole, but for gaps."""
    if not isinstance(data, Tensor | np.ndarray):
        return MappedRows(data, lambda rows, _: rows.to(device=like.device, dtype=like.dtype))
    shape = model.visible.shape
    if data.ndim != len(shape) + 1 or len(data) == 0:
        raise ValueError(f"expected data of shape (cases, {', '.join(map(str, shape))}), at least one case, found {tuple(data.shape)}")
    for start in range(0, len(data), BLOCK):
        side = None if given is None else given.map(lambda field, start=start: torch.as_tensor(field[start : start + BLOCK]))  # type: ignore[misc]
        model.visible.check(_filled(model.visible, _block(data, start), side))
    return ArrayRows(data, lambda rows: model.visible.from_data(rows, like))


def _block(data: Tensor | np.ndarray[Any, Any], start: int) -> Tensor:
    """Some rows as a tensor: of an array a copy, since PyTorch warns of memory that it must not write to (a read-only map)."""
    rows = data[start : start + BLOCK]
    return rows if isinstance(rows, Tensor) else torch.as_tensor(np.array(rows))


def as_weights(weights: Any, cases: int, like: Tensor) -> Tensor:
    """One weight a case, (cases,). ValueError says what is wrong with them."""
    found = torch.as_tensor(weights).to(like)
    if found.shape != (cases,) or not bool((torch.isfinite(found) & (found >= 0)).all()):
        spread = f" and values from {found.min().item():g} to {found.max().item():g}" if found.numel() else ""
        raise ValueError(f"sample_weight must be {cases} finite non-negative numbers, one a case, found shape {tuple(found.shape)}{spread}")
    return found


def given_sources(given: Given | None, cases: int, like: Tensor) -> list[Source]:
    """Each field of what is given, as rows. ValueError where a field has another number of cases."""
    found: list[Source] = []
    for name in _fields(given):
        field = torch.as_tensor(getattr(given, name))
        if field.dim() == 0 or len(field) != cases:
            raise ValueError(f"given.{name} must have one row a case, {cases} of them, found shape {tuple(field.shape)}")
        found.append(ArrayRows(field, lambda rows: rows.to(like) if rows.is_floating_point() else rows.to(like.device)))
    return found


def as_batches(
    model: RBM, data: Data, sample_weight: Any, given: Given | None, *, batch_size: int, seed: int, like: Tensor
) -> Batches | Stream:
    """Whatever the user gave, as mini-batches. ValueError says what is wrong with it."""
    if not isinstance(data, Tensor | np.ndarray | Source):
        if isinstance(data, str | bytes | os.PathLike) or not isinstance(data, Iterable):
            raise ValueError(f"expected data as a tensor, array, Source or iterable of batches, found {type(data).__name__}")
        if sample_weight is not None:
            raise ValueError("an iterable brings its own weights: let it give (data, weights) pairs")
        if given is not None:
            raise ValueError("what is given of each case goes with data that can be visited by number: a tensor, array or Source")

        def convert(batch: Any) -> Tensor:
            return as_rows(model, torch.as_tensor(batch), like).rows(torch.arange(len(batch)), torch.Generator())

        def convert_weights(weights: Any, cases: int) -> Tensor:
            if not torch.as_tensor(weights).is_floating_point():
                raise ValueError(
                    "the iterable gives (data, integers) pairs: the second of a pair is each case's weight, a floating-point number; "
                    "leave labels out"
                )
            return as_weights(weights, cases, like)

        return Stream(data, convert, convert_weights)
    sources: list[Source] = [as_rows(model, data, like, given)]
    if sample_weight is not None:
        sources.append(ArrayRows(as_weights(sample_weight, len(sources[0]), like)))
    return Batches([*sources, *given_sources(given, len(sources[0]), like)], batch_size=batch_size, seed=seed)


def _some(
    model: RBM, validation: Tensor | np.ndarray[Any, Any] | Source, given: Given | None, like: Tensor, seed: int
) -> tuple[Tensor, Given | None]:
    sources = [as_rows(model, validation, like, given), *given_sources(given, len(validation), like)]
    rows, *others = Batches(sources, batch_size=MONITORED, seed=0).some(MONITORED, fresh_generator(like, derive(seed, MONITOR)))
    return rows, Given(**dict(zip(_fields(given), others, strict=True))) if given is not None else None

"""Learning an RBM."""

from __future__ import annotations

import os
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
from harmonium.models.normalisable import gaussian_parts

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
    weight 2 counts as the row twice. `validation`: data for the free-energy gap. `seed`: of order and draws; the same seed, machine and
    thread count give the same bits. `state`: a state returned before, to train on to `epochs` in all. `checkpoint`: a file that
    is written after each epoch (and every half minute), and gone on from if it is there. `progress`: a progress bar; by default on a
    terminal only.

    ValueError for data the units cannot take, or a checkpoint of other settings; FloatingPointError if learning diverges.
    """
    like = next(model.parameters()).detach()
    batches = as_batches(model, data, sample_weight, batch_size=batch_size, seed=derive(seed, ORDER), like=like)
    generator = fresh_generator(like, derive(seed, DRAWS))
    (training,) = batches.some(MONITORED, fresh_generator(like, derive(seed, MONITOR)))[:1] or (None,)
    if training is not None:
        model.visible.check(training)  # what a source gives is seen here first; arrays were checked whole
    if isinstance(batches, Stream) and batches.once and epochs > 1:
        raise ValueError(ONCE)
    if sparsity is not None and any(True for _ in gaussian_parts(model.hidden)):
        raise ValueError("a sparsity target is the share of the time that a hidden unit is on: Gaussian hidden units have none")
    held_out = None if validation is None else _some(model, validation, like, seed)
    if state is None:
        if training is not None and not any(bool(p.any()) for name, p in model.visible.named_parameters() if name.endswith("bias")):
            model.visible.init_from(*batches.some(STARTING, generator))
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

    def gradient(v: Tensor, weights: Tensor | None = None) -> None:
        contrastive_gradient(model, v, weights, negative, running, sparsity)

    def figures() -> dict[str, float]:
        if training is None:
            return {}
        return rbm_figures(model, training, held_out, generator=fresh_generator(like, derive(seed, MONITOR, running.epoch)))

    shown = [Progress()] if progress or (progress is None and Progress.wanted()) else []
    path = None if checkpoint is None else Path(checkpoint)
    return train(state, batches, gradient, figures, epochs=epochs, callbacks=[*callbacks, *shown], checkpoint=path)


@torch.no_grad()
def contrastive_gradient(
    model: RBM, v: Tensor, weights: Tensor | None, negative: Negative, state: TrainingState, sparsity: Sparsity | None = None
) -> None:
    """Writes <∂E/∂θ>_data - <∂E/∂θ>_model into every `.grad`; each average is divided by its own total weight.

    `v`: (cases, *visible.shape); `weights`: (cases,) or None.
    """
    data = model.infer(v)
    scale, total = 1 / len(v), None if weights is None else weights.sum()
    if weights is not None and total is not None:  # as shares, which stay on the device; a batch of no weight teaches nothing
        weights, scale = weights / total.clamp_min(torch.finfo(total.dtype).tiny), 1.0
    particles = negative.particles(model, data, state.chains, generator=state.generator)
    model.accumulate_gradient(data, weights=weights, scale=scale, fresh=True)
    if negative.paired:
        model.accumulate_gradient(model.infer(particles), weights=weights, scale=-scale)
    else:
        borne = None if total is None else (total > 0).to(particles).expand(len(particles))
        model.accumulate_gradient(model.infer(particles), weights=borne, scale=-1 / len(particles))
    if sparsity is not None:
        assert state.activity is not None
        sparsity.accumulate_gradient(model, data, weights, state.activity)


def default_optimizer(model: RBM) -> MakeOptimizer:
    """Fused SGD with momentum, slower where a layer is real-valued."""
    gaussian = any(True for unit in (model.visible, model.hidden) for _ in gaussian_parts(unit))
    return partial(MomentumSGD, lr=1e-4 if gaussian else 1e-2, momentum=0.9)


def as_rows(model: RBM, data: Tensor | np.ndarray[Any, Any] | Source, like: Tensor) -> Source:
    """Data as a source that gives the visible units' rows; arrays are checked against the units' support, whole."""
    if not isinstance(data, Tensor | np.ndarray):
        return MappedRows(data, lambda rows, _: rows.to(device=like.device, dtype=like.dtype))
    shape = model.visible.shape
    if data.ndim != len(shape) + 1 or len(data) == 0:
        raise ValueError(f"expected data of shape (cases, {', '.join(map(str, shape))}), at least one case, found {tuple(data.shape)}")
    for start in range(0, len(data), BLOCK):
        model.visible.check(_block(data, start))
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


def as_batches(model: RBM, data: Data, sample_weight: Any, *, batch_size: int, seed: int, like: Tensor) -> Batches | Stream:
    """Whatever the user gave, as mini-batches. ValueError says what is wrong with it."""
    if not isinstance(data, Tensor | np.ndarray | Source):
        if isinstance(data, str | bytes | os.PathLike) or not isinstance(data, Iterable):
            raise ValueError(f"expected data as a tensor, array, Source or iterable of batches, found {type(data).__name__}")
        if sample_weight is not None:
            raise ValueError("an iterable brings its own weights: let it give (data, weights) pairs")

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
    sources: list[Source] = [as_rows(model, data, like)]
    if sample_weight is not None:
        sources.append(ArrayRows(as_weights(sample_weight, len(sources[0]), like)))
    return Batches(sources, batch_size=batch_size, seed=seed)


def _some(model: RBM, validation: Tensor | np.ndarray[Any, Any] | Source, like: Tensor, seed: int) -> Tensor:
    batches = Batches([as_rows(model, validation, like)], batch_size=MONITORED, seed=0)
    return batches.some(MONITORED, fresh_generator(like, derive(seed, MONITOR)))[0]

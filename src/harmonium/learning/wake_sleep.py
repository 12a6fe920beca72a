"""Contrastive wake-sleep: a belief net, learnt greedily, fine-tuned to generate."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from harmonium.learning.averaging import Averaging
from harmonium.learning.batches import ArrayRows, Batches, derive
from harmonium.learning.cases import Rows, as_rows
from harmonium.learning.contrastive import ContrastiveDivergence, Negative
from harmonium.learning.fit import DRAWS, MONITOR, ORDER, MakeOptimizer
from harmonium.learning.momentum import MomentumSGD
from harmonium.learning.progress import Progress
from harmonium.learning.schedules import Scheduler
from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback, fresh_generator, train
from harmonium.models import DBN, Directed, label_log_probability
from harmonium.models.dbn import one_hot

PRODUCTS = ("coupling",)  # what weight cost applies to, by the parameters' names


def wake_sleep(
    dbn: DBN,
    data: Rows,
    *,
    labels: Tensor | None = None,
    negative: Negative | Callable[[int], Negative] = ContrastiveDivergence(3),  # noqa: B008 (frozen)
    epochs: int = 10,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: Callable[[torch.optim.Optimizer], Scheduler] | None = None,
    weight_cost: float = 0.0,
    averaging: float | None = None,
    validation: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """Fine-tunes a belief net by the contrastive version of wake-sleep, the up-down algorithm (Hinton, Osindero & Teh 2006, appendix B).

    The net is untied, and learns in place. Each update has four parts. Wake: a stochastic up-pass from the data, after which every
    generative layer learns to make what it finds below it from what was found above. The top RBM, labels beside: the data's states minus
    the particles that `negative` makes. Sleep: from the particles a stochastic down-pass, whose lowest layer stays a mean, after which
    every recognition layer learns to find what it was made from. Means over the cases of each pass, written into `.grad`.

    `data`: (cases, *visible.shape), a tensor, an array, or a `Source` such as `hm.data.binarise(images, "resampled")`. `labels`: (cases,)
    integers, for a net that has label units. `negative`: how particles of the top RBM are made; or epoch -> that, for a schedule such as
    Hinton's 3, then 6, then 10 sweeps: `lambda epoch: hm.ContrastiveDivergence((3, 6, 10)[epoch // 100])`. Persistent chains begin at
    draws of the top RBM's own biases. `weight_cost`: on the couplings' weights only. `averaging`: as for `fit`. `validation`: images and
    labels, whose error the epochs' figures hold. The other arguments are those of `fit`.

    The figures: `wake_error` and `sleep_error`, the squared error with which the generative and the recognition layers make the states of
    the two passes, summed over layers and units, averaged over cases. ValueError for data or labels that do not fit, and for rules that
    write their own gradient; FloatingPointError if learning diverges.
    """
    if not len(dbn.recognition):
        raise ValueError("wake-sleep learns directed layers below a top RBM, and this net is one RBM: use hm.fit")
    if any(rbm.hidden.output_shape != rbm.hidden.shape for rbm in dbn.rbms[:-1]):
        raise ValueError(
            "wake-sleep needs layers that are seen as they are: which unit of a pooled block is on belongs to one machine alone"
        )
    if (labels is None) != (dbn.labels is None):
        raise ValueError(
            "the net has label units, and no labels are given" if labels is None else "labels are given, and the net has no label units"
        )
    dbn.untie()
    visible, like = dbn.rbms[0].visible, next(dbn.parameters()).detach()
    rows = as_rows(visible, data, like)
    if labels is not None:
        one_hot(dbn.labels, labels)  # refuses what is no class
        if len(labels) != len(rows):
            raise ValueError(f"expected one label for each of {len(rows)} cases, found {len(labels)}")
    if validation is not None and dbn.labels is None:
        raise ValueError("validation is of labels, and the net has no label units")
    schedule_of = negative if callable(negative) and not hasattr(negative, "particles") else lambda epoch: negative
    first = cast(Negative, schedule_of(0))
    if not hasattr(first, "particles"):
        raise ValueError(f"wake-sleep takes particles of the top RBM, as CD and persistent CD make them, found {type(first).__name__}")
    batches = Batches([rows, None if labels is None else ArrayRows(labels)], batch_size=batch_size, seed=derive(seed, ORDER))
    average = None if averaging is None else Averaging(averaging)
    if state is None:
        named = list(dbn.named_parameters())
        groups = [
            {"params": [p for name, p in named if any(part in name for part in PRODUCTS)], "weight_decay": weight_cost},
            {"params": [p for name, p in named if not any(part in name for part in PRODUCTS)], "weight_decay": 0.0},
        ]
        made = (optimizer or partial(MomentumSGD, lr=0.01))(groups)
        settings: dict[str, Any] = {
            "seed": seed,
            "batch_size": batch_size,
            "cases": len(rows),
            "negative": repr(first),
            "averaging": averaging,
        }
        state = TrainingState(dbn, made, fresh_generator(like, derive(seed, DRAWS)), settings)
        state.schedule = schedule(made) if schedule is not None else None
        if average is not None:
            average.start(state)
        state.chains = first.start(dbn.top, state.generator)
        if checkpoint is not None and Path(checkpoint).exists():
            state.restore(checkpoint)
    elif state.model is not dbn:
        raise ValueError("the state given is that of another model: a state holds the net it trains, wake_sleep(state.model, ...)")
    running = state

    def gradient(v: Tensor, y: Tensor | None) -> None:
        up_down_gradient(dbn, v, y, cast(Negative, schedule_of(running.epoch)), running)

    def figures() -> dict[str, float]:
        cases = running.totals["cases"].item()
        row = {name: running.totals[name].item() / cases for name in ("wake_error", "sleep_error")}
        if validation is not None:
            images, truth = validation
            held = as_rows(visible, images, like).rows(torch.arange(len(images)), fresh_generator(like, derive(seed, MONITOR)))
            found = label_log_probability(dbn, held).argmax(1)
            row["validation_error_percent"] = 100 * (found != truth.to(found)).double().mean().item()
        return row

    shown = [Progress("wake-sleep")] if progress or (progress is None and Progress.wanted()) else []
    before = [] if average is None else [average]
    path = None if checkpoint is None else Path(checkpoint)
    return train(state, batches, gradient, figures, epochs=epochs, callbacks=[*before, *callbacks, *shown], checkpoint=path)


@torch.no_grad()
def up_down_gradient(dbn: DBN, v: Tensor, labels: Tensor | None, negative: Negative, state: TrainingState) -> None:
    """Writes one update's gradient into every `.grad` of an untied net, and adds its errors to the state's sums.

    `v`: (cases, *visible.shape), states or means; `labels`: (cases,) integers where the net has labels. No product is formed twice: what
    the up-pass found teaches the generative layers and is the top RBM's data.
    """
    generator, top = state.generator, dbn.top
    scale, layers = 1 / len(v), list(zip(dbn.recognition, dbn.generative, strict=True))
    wake = [v]
    for up in dbn.recognition:
        wake.append(cast(Directed, up)(wake[-1], generator))
    wake_error = [
        (below - cast(Directed, down).accumulate_gradient(below, above, scale=scale, fresh=True)).square().sum()
        for (_, down), below, above in zip(layers, wake, wake[1:], strict=False)
    ]

    states = wake[-1] if labels is None else dbn.beside(wake[-1], labels.to(v.device))
    data = top.infer(states)
    particles = negative.particles(top, data, state.chains, generator=generator)
    top.accumulate_gradient(data, scale=scale, fresh=True)
    top.accumulate_gradient(top.infer(particles), scale=-1 / len(particles))

    sleep, back = dbn.split(particles)[0], 1 / len(particles)
    sleep_error = []
    for number, (up, down) in reversed(list(enumerate(layers))):
        below = cast(Directed, down)(sleep, generator if number else None)
        found = cast(Directed, up).accumulate_gradient(sleep, below, scale=back, fresh=True)
        sleep_error.append((sleep - found).square().sum() * (back / scale))
        sleep = below
    state.add("wake_error", torch.stack(wake_error).sum())
    state.add("sleep_error", torch.stack(sleep_error).sum())
    state.add("cases", torch.tensor(len(v)))

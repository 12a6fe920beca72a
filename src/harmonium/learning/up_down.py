"""One update of contrastive wake-sleep."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from harmonium.learning.batches import Source
from harmonium.learning.contrastive import Negative
from harmonium.learning.fit import MONITORED
from harmonium.learning.state import TrainingState
from harmonium.models import DBN
from harmonium.models.labels import with_labels

Pixels = Literal["mean", "sample"]


@torch.no_grad()
def up_down_gradient(
    dbn: DBN, v: Tensor, labels: Tensor | None, negative: Negative, state: TrainingState, *, pixels: Pixels = "mean"
) -> None:
    """Writes the gradients of one update of `wake_sleep` into every `.grad`, and adds its errors to the epoch's sums.

    `v`: (cases, *visible.shape) states; `labels`: (cases,) integers, or None for a net that has no label units.
    """
    generator, top, given = state.generator, dbn.top, dbn.visible.given_by(v, None)
    recognition, generative = list(dbn.upwards()), list(dbn.downwards())[::-1]
    # Awake: up, and each generative layer learns to reconstruct what it saw.
    states, share = [v], 1 / len(v)
    for level, layer in enumerate(recognition):
        states.append(layer(states[-1], generator, given if level == 0 else None))
    for level, layer in enumerate(generative):
        known = given if level == 0 else None
        mean = layer.accumulate_gradient(states[level], states[level + 1], scale=share, fresh=True, given=known)
        state.add("wake_error", _squared(mean, states[level]))
    # The top RBM, from what the up-pass gave and the labels beside it to its own particles.
    units = dbn.labels
    joint = states[-1] if units is None or labels is None else with_labels(states[-1], labels, units.categories)
    alone = given if not recognition else None
    data = top.infer(joint, alone)
    particles = negative.particles(top, data, state.chains, generator=generator, given=alone)
    top.accumulate_gradient(data, scale=share, fresh=True, given=alone)
    dreamt = top.infer(particles, alone if negative.paired else None)
    top.accumulate_gradient(dreamt, scale=-1 / len(particles), given=alone if negative.paired else None)
    # Asleep: down, and each recognition layer learns to recover what was dreamt. Documents are dreamt as long as the batch's are.
    dream, share = dbn.part(particles), 1 / len(particles)
    if given is not None and len(particles) != len(v):
        turn = torch.arange(len(particles), device=v.device) % len(v)
        given = given.map(lambda field: field[turn])
    for level in reversed(range(len(generative))):
        known = given if level == 0 else None
        lower = generative[level](dream, generator if level or pixels == "sample" else None, known)
        mean = recognition[level].accumulate_gradient(dream, lower, scale=share, fresh=True, given=known)
        state.add("sleep_error", _squared(mean, dream))
        dream = lower
    state.add("dreams", torch.tensor(len(particles)))


def _squared(mean: Tensor, states: Tensor) -> Tensor:
    """The squared error, summed."""
    error = (mean - states).flatten()
    return torch.dot(error, error)


@torch.no_grad()
def wake_error(dbn: DBN, held: Source, generator: torch.Generator) -> float:
    """The squared error of each generative layer's means given a stochastic up-pass, summed over units and layers, a case."""
    v = held.rows(torch.arange(min(len(held), MONITORED)), generator)
    states, given = v, dbn.visible.given_by(v, None)
    total = torch.zeros((), dtype=v.dtype, device=v.device)
    for up, down in zip(dbn.upwards(), list(dbn.downwards())[::-1], strict=True):
        above = up(states, generator, given)
        total += _squared(down(above, None, given), states)
        states, given = above, None
    return total.item() / len(v)

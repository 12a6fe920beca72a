"""One gradient of a learning rule, by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import harmonium as hm
from harmonium.learning import Rule, Transform, write_gradient
from harmonium.learning.loop.state import RULE
from harmonium.learning.loop.step import allocate_gradients
from harmonium.models import Phase
from harmonium.units import NOTHING, Given


def begun(model: Any, rule: Rule, seed: int = 0, transforms: tuple[Transform, ...] = ()) -> hm.TrainingState:
    """A training state whose slots are made, and nothing else."""
    state = hm.TrainingState(model, torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator().manual_seed(seed), {})
    state.slots = {transform.name: transform.init(model, 0) for transform in transforms}
    state.slots[RULE] = rule.init(model, state.generator)
    allocate_gradients(model)
    return state


def contrastive_gradient(
    model: Any,
    v: Tensor | Phase,
    weights: Tensor | None,
    rule: Rule,
    state: Any = None,
    transforms: tuple[Transform, ...] = (),
    given: Given = NOTHING,
) -> None:
    """Writes the rule's gradient of these cases, the whole data set, into every `.grad`, and lets the transforms change it."""
    state = begun(model, rule, transforms=transforms) if state is None else state
    if not isinstance(v, Phase):
        given = model.visible.given_by(v, given)
        v = model.infer(v, given)
    shares = None if weights is None else weights * (len(weights) / weights.sum().clamp_min(1e-300))
    slots, generator = state.slots.get(RULE, {}), getattr(state, "generator", torch.Generator())
    positive = write_gradient(model, v, rule, slots, weights=shares, given=given, generator=generator)
    for transform in transforms:
        transform.collect(model, positive, state.slots[transform.name])
    for transform in transforms:
        transform.observe(model, positive, state.slots[transform.name])
    for transform in transforms:
        transform.gradient(model, positive, state.slots[transform.name])

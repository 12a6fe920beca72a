"""The start of training: base rates, and the slots of the rule and the transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from harmonium.data.batches import Batches, Stream
from harmonium.learning import advice
from harmonium.learning.autoregression import linear_prediction
from harmonium.learning.cases import for_base_rates
from harmonium.learning.loop import reduce
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.rules import Rule, Slots
from harmonium.learning.transforms import Transform
from harmonium.models import RBM
from harmonium.units import Unit
from harmonium.units.groups import leaves

STARTING = 10_000  # most cases for the initial visible biases


def start(state: TrainingState, machine: RBM, visible: Unit, batches: Batches | Stream, transforms: Sequence[Transform]) -> None:
    """Set visible biases that still have their initial values to the data's base rates, and let the transforms adapt the hidden ones.

    Several processes start at the model of the first.

    Parameters
    ----------
    state : TrainingState
        The training.
    machine : RBM
        The machine that learns.
    visible : Unit
        The units of the data, which may be a part of the machine's visible layer.
    batches : Batches or Stream
        The data.
    transforms : sequence of Transform
        The transforms.
    """
    before = machine.visible.standard()
    scale = None if before is None else before[1].clone()
    if isinstance(batches, Batches) and as_made(visible):
        rows, shares, side = batches.some(STARTING, state.generator)
        rows = for_base_rates(visible, rows, shares, side)
        prediction = linear_prediction(machine, rows, shares, side)
        visible.init_from(rows - prediction.means, shares)
        advice.of_fixed_variances(visible, rows - prediction.means)
        for transform in transforms:
            transform.start(machine, scale)
        prediction.set()  # after the transforms, which scale what was there before
    reduce.one_model(state.model)


def make_slots(state: TrainingState, machine: RBM, transforms: Sequence[Transform], rule: Rule) -> None:
    """Make the slots of the rule and the transforms. Slots that a state already has stay."""
    make_transforms_slots(state, machine, transforms)
    kept = state.slots.get(RULE)
    throwaway = torch.Generator(state.generator.device)
    if kept is None or shapes(kept) != shapes(rule.init(machine, throwaway)):  # another rule starts with new slots
        state.slots[RULE] = rule.init(machine, state.generator)
    state.divided = rule.divided


def make_transforms_slots(state: TrainingState, model: Any, transforms: Sequence[Transform]) -> None:
    """Make the slots of the transforms of a model. Slots that a state already has stay."""
    for transform in transforms:
        if transform.name not in state.slots:
            state.slots[transform.name] = transform.init(model, state.step)


def shapes(slots: Slots) -> dict[str, tuple[int, ...]]:
    """Names and shapes, which tell the slots of two rules apart."""
    return {name: tuple(slot.shape) for name, slot in slots.items()}


def as_made(unit: Unit) -> bool:
    """Whether a layer's biases, or all parameters of units without biases, still have their initial values."""
    for _, _, leaf in leaves(unit):
        made = type(leaf)(**leaf.arguments())  # type: ignore[arg-type]
        names = [name for name, _ in leaf.named_parameters()]
        biases = [name for name in names if name.endswith("bias")]
        if not all(
            torch.equal(leaf.get_parameter(name), made.get_parameter(name).to(leaf.get_parameter(name))) for name in biases or names
        ):
            return False
    return True

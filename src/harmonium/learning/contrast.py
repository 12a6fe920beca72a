"""The learning signal of `fit`: a positive phase, then what a rule makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from harmonium.data.batches import Batches, Stream
from harmonium.learning.loop import reduce
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.rules import Positive, Rule, Slots
from harmonium.models import DBM, RBM, Phase
from harmonium.sampling.clamped import draw_missing
from harmonium.units import Given


class Contrast:
    """Writes a rule's gradient for one mini-batch after another."""

    def __init__(self, state: TrainingState, rule: Rule, batches: Batches | Stream, sweeps: int) -> None:
        assert isinstance(state.model, RBM | DBM)
        self.whole, self.model = state.model, state.model.machine
        self.rule, self.batches, self.sweeps = rule, batches, sweeps
        self.generator, self.slots = state.generator, state.slots[RULE]

    def gradient(self, v: Tensor, weights: Tensor | None = None, given: Given | None = None) -> Positive:
        """`v`: (cases, *visible.shape); `weights`: (cases,); `given`: what is given of each case."""
        weights = None if weights is None else weights / self.batches.mean_weight
        phase, given = positive_phase(self.whole, v, given, sweeps=self.sweeps, generator=self.generator)
        return write_gradient(self.model, phase, self.rule, self.slots, weights=weights, given=given, generator=self.generator)

    def after(self, complete: Callable[[], None]) -> None:
        self.rule.after(self.model, self.slots, complete)

    def between(self, step: int) -> None:
        self.rule.between(self.model, self.slots, step)


@torch.no_grad()
def write_gradient(
    model: RBM,
    phase: Phase,
    rule: Rule,
    slots: Slots,
    *,
    weights: Tensor | None = None,
    given: Given | None = None,
    generator: torch.Generator,
) -> Positive:
    """Writes <∂E/∂θ>_data - <∂E/∂θ>_model, or what else the rule lowers, into every `.grad`.

    `phase`: the data after the positive phase, (cases, ...). `weights`: (cases,), in units of the mean weight over the data set, so that a
    row of weight 2 counts as the row twice whatever else its batch holds. `given`: what is given of each case.
    """
    cases = reduce.total(len(phase.v), phase.v)
    if weights is None:
        positive = Positive(phase, 1 / cases, 1.0, given)
    else:
        shares = weights / cases
        positive = Positive(phase, shares, shares.sum(), given)
    rule.gradient(model, positive, slots, generator=generator)
    return positive


@torch.no_grad()
def positive_phase(
    model: RBM | DBM, v: Tensor, given: Given | None, *, sweeps: int, generator: torch.Generator
) -> tuple[Phase, Given | None]:
    """What the data say of the hidden layers, and what is given of each case, once its missing values are drawn."""
    if isinstance(model, DBM):
        return model.mean_field(v, sweeps=sweeps).phase, given
    v, given = draw_missing(model, v, given, steps=sweeps, generator=generator)
    given = model.visible.given_by(v, given)
    return model.infer(v, given), given


def described_given(given: Given | None, sweeps: int, model: RBM | DBM) -> dict[str, Any]:
    """The settings of the positive phase."""
    kinds = sorted(name for name, field in vars(given or Given()).items() if field is not None)
    return {"given": kinds or None, "sweeps": sweeps if "missing" in kinds or isinstance(model, DBM) else None}

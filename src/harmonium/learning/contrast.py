"""The learning signal of `fit`: a positive phase, then the rule's gradient."""

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
from harmonium.units import NOTHING, Given


class Contrast:
    """Writes a rule's gradient for each mini-batch."""

    def __init__(self, state: TrainingState, rule: Rule, batches: Batches | Stream, sweeps: int) -> None:
        assert isinstance(state.model, RBM | DBM)
        self.whole, self.model = state.model, state.model.machine
        self.rule, self.batches, self.sweeps = rule, batches, sweeps
        self.generator, self.slots = state.generator, state.slots[RULE]

    def gradient(self, v: Tensor, weights: Tensor | None = None, given: Given = NOTHING) -> Positive:
        """Overwrite every `.grad`. `v`: (cases, *visible.shape). `weights`: (cases,). `given`: what is given of each case."""
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
    given: Given = NOTHING,
    generator: torch.Generator,
) -> Positive:
    """Write a rule's gradient, by default <∂E/∂θ>_data - <∂E/∂θ>_model, into every `.grad`.

    It is the core of one update, for training loops outside `fit`.

    Parameters
    ----------
    model : RBM
        The machine.
    phase : Phase
        The data after the positive phase, (cases, ...), as `model.infer(v)` gives it.
    rule : Rule
        The learning rule.
    slots : dict of Tensor
        What the rule keeps between updates, from `rule.init(model, generator)`; changed in place.
    weights : Tensor, optional
        Weight of each case, (cases,), in units of the mean weight over the data set. A row of weight 2 then counts as two rows, whatever
        else is in its batch.
    given : Given, optional
        What is given of each case.
    generator : torch.Generator
        For all draws.

    Returns
    -------
    Positive
        The data's part of the gradient.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm, rule = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.ContrastiveDivergence()
    >>> generator = torch.Generator().manual_seed(0)
    >>> slots = rule.init(rbm, generator)
    >>> positive = hm.learning.write_gradient(rbm, rbm.infer(torch.eye(6)), rule, slots, generator=generator)
    >>> rbm.coupling.weight.grad.shape
    torch.Size([6, 4])
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
def positive_phase(model: RBM | DBM, v: Tensor, given: Given, *, sweeps: int, generator: torch.Generator) -> tuple[Phase, Given]:
    """The result of the positive phase, and what is given of each case after its missing values are drawn."""
    if isinstance(model, DBM):
        return model.mean_field(v, sweeps=sweeps).phase, given
    v, given = draw_missing(model, v, given, steps=sweeps, generator=generator)
    given = model.visible.given_by(v, given)
    return model.infer(v, given), given


def described_given(given: Given, sweeps: int, model: RBM | DBM) -> dict[str, Any]:
    """The settings of the positive phase."""
    kinds = sorted(given.kinds)
    return {"given": kinds or None, "sweeps": sweeps if "missing" in kinds or isinstance(model, DBM) else None}

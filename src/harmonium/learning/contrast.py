"""The learning signal of `fit`: a positive phase, then the rule's gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from harmonium.data.batches import Batches, Stream, Whole
from harmonium.learning.loop.metrics import rbm_metrics
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.mean_field_phase import MeanFieldPhase
from harmonium.learning.rules import Positive, Rule, Slots
from harmonium.models import DBM, DBN, RBM, Phase
from harmonium.processes import add_up, total_of
from harmonium.sampling.clamped import draw_missing
from harmonium.units import NOTHING, Given

SWEEPS = 5  # of clamped Gibbs sampling, by default


class PositivePhase(Protocol):
    """What `fit` asks of the kind of model that it trains."""

    def __call__(self, v: Tensor, given: Given, generator: torch.Generator) -> tuple[Phase, Given]:
        """The result of the positive phase of a mini-batch, and what is given of each case after its missing values are drawn."""

    def states(self, rows: Tensor) -> Tensor:
        """Complete data, as states of the machine's whole visible side."""

    def settings(self, given: Given) -> dict[str, Any]:
        """The settings that must match on resume."""

    def metrics(
        self, training: Tensor, given: Given, held: Tensor | None, held_given: Given, generator: torch.Generator
    ) -> dict[str, float]:
        """Metrics on some of the training cases, and on held-out cases if there are any."""


class ExactPhase:
    """The positive phase of an RBM, which is exact. Missing values are drawn by `sweeps` of clamped Gibbs sampling, by default 5."""

    def __init__(self, model: RBM, sweeps: int | None) -> None:
        self.model, self.sweeps = model, SWEEPS if sweeps is None else sweeps
        if self.sweeps < 1:
            raise ValueError(f"missing values take at least one sweep of clamped Gibbs sampling, found sweeps={sweeps}")

    def __call__(self, v: Tensor, given: Given, generator: torch.Generator) -> tuple[Phase, Given]:
        v, given = draw_missing(self.model, v, given, steps=self.sweeps, generator=generator)
        given = self.model.visible.given_by(v, given)
        return self.model.infer(v, given), given

    def states(self, rows: Tensor) -> Tensor:
        return rows

    def settings(self, given: Given) -> dict[str, Any]:
        return {"given": sorted(given.kinds) or None, "sweeps": None if given.missing is None else self.sweeps}

    def metrics(
        self, training: Tensor, given: Given, held: Tensor | None, held_given: Given, generator: torch.Generator
    ) -> dict[str, float]:
        return rbm_metrics(self.model, training, held, generator=generator, given=given, validation_given=held_given, sweeps=self.sweeps)


def phase_of(model: RBM | DBM, rule: Rule, sweeps: int | None, *given: Given) -> PositivePhase:
    """The positive phase of a model. Raises TypeError for models that `fit` does not train, and for what is no rule."""
    if not isinstance(rule, Rule):
        raise TypeError(f"negative= is a rule, such as hm.ContrastiveDivergence() or hm.PersistentCD(100), found {rule!r}")
    if isinstance(model, RBM):
        return ExactPhase(model, sweeps)
    if isinstance(model, DBM):
        return MeanFieldPhase(model, rule, sweeps, *given)
    advice = "hm.greedy and hm.wake_sleep learn nets" if isinstance(model, DBN) else "write the gradient with model.accumulate_gradient"
    raise TypeError(f"hm.fit learns an RBM or a deep Boltzmann machine, found {type(model).__name__}: {advice}")


class Contrast:
    """Writes a rule's gradient of `machine` for each mini-batch, after the positive phase of the model that it is part of."""

    def __init__(self, state: TrainingState, machine: RBM, infer: PositivePhase, rule: Rule, batches: Batches | Stream) -> None:
        self.model, self.infer, self.rule, self.batches = machine, infer, rule, batches
        self.generator, self.slots = state.generator, state.slots[RULE]

    @torch.no_grad()
    def gradient(self, v: Tensor, weights: Tensor | None = None, given: Given = NOTHING) -> Positive:
        """Overwrite every `.grad`. `v`: (cases, *visible.shape). `weights`: (cases,). `given`: what is given of each case."""
        whole = self.batches.whole
        if weights is not None:
            weights = weights / self.batches.mean_weight
            if whole is not None and whole.weight is not None:
                whole = whole._replace(weight=whole.weight / self.batches.mean_weight)
        phase, given = self.infer(v, given, self.generator)
        return write_gradient(self.model, phase, self.rule, self.slots, weights=weights, given=given, generator=self.generator, whole=whole)

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
    whole: Whole | None = None,
) -> Positive:
    """Write a rule's gradient, by default <∂E/∂θ>_data - <∂E/∂θ>_model, into every `.grad`.

    It is the core of one update, for training loops outside `fit`. Of several processes each writes its own cases' part, and the sum of
    all `.grad` is the gradient.

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
    whole : Whole, optional
        The number of cases of all processes, and their total weight; by default the processes add them up.

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
    cases = total_of(len(phase.v), phase.v.device) if whole is None else float(whole.cases)
    if weights is None:
        positive = Positive(phase, 1 / cases, 1.0, given)
    else:
        shares = weights / cases
        if whole is None or whole.weight is None:
            total = shares.sum()
            add_up([total])
        else:
            total = whole.weight.to(shares) / cases
        positive = Positive(phase, shares, total, given)
    rule.gradient(model, positive, slots, generator=generator)
    return positive

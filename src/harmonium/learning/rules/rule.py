"""What a learning rule is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM, Phase
from harmonium.units import Given

Slots = dict[str, Tensor]
"""What a rule or a transform keeps from one update to the next, by name. It is part of the checkpoint, but for names that begin with
"work.": room to work in, whose content does not last from one update to the next."""


class Positive(NamedTuple):
    """The data's half of a learning signal: a mini-batch after its positive phase.

    `phase`: what the positive phase gives, (cases, ...). `shares`: how much each case counts in the data's average, one number for all or
    (cases,). `total`: what these add up to, 1 or a tensor: a batch of heavy rows counts more than one of light rows, and so does its
    model half. `given`: what is given of each case.
    """

    phase: Phase
    shares: Tensor | float
    total: Tensor | float
    given: Given | None

    def weighting(self, sign: float = 1.0) -> dict[str, Any]:
        """The shares, times a sign, as `accumulate_gradient` takes them."""
        return {"weights": self.shares, "scale": sign} if isinstance(self.shares, Tensor) else {"scale": sign * self.shares}

    def average(self, values: Tensor) -> Tensor:
        """Σ_n share_n · values_n, of (cases, size): (size)."""
        return self.shares @ values if isinstance(self.shares, Tensor) else values.sum(0) * self.shares

    def against(self, particles: int) -> dict[str, Any]:
        """The model's half: minus the same total, in equal shares of this many particles."""
        if isinstance(self.total, Tensor):
            return {"weights": (self.total / particles).expand(particles), "scale": -1.0}
        return {"scale": -self.total / particles}


class Rule:
    """How a model learns from data: by default, grad = <∂E/∂θ>_data - <∂E/∂θ>_model over particles that the rule makes.

    A rule of one's own overrides `particles`, or `gradient` where the signal is another. What it keeps between updates stands in slots
    that `init` makes; an object of the rule itself holds settings alone.
    """

    paired: ClassVar[bool] = False
    """Whether particle n belongs to case n, has its weight, and takes what is given of it."""

    contrasts: ClassVar[bool] = True
    """Whether the gradient is a difference of averages of ∂E/∂θ, the data's and the model's."""

    def check(self, model: RBM, given: Given | None) -> None:
        """Before learning: raises a ValueError or TypeError where the rule cannot learn this machine from such cases."""
        if not self.paired:
            check_unpaired(given)

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        """The slots before the first update."""
        return {}

    def particles(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> Tensor:
        """Visible states that stand for the model's distribution: (particles, *visible.shape)."""
        raise TypeError(f"{type(self).__name__} makes no particles of the model: ContrastiveDivergence and PersistentCD do")

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> None:
        """Writes every `.grad` anew."""
        particles = self.particles(model, positive, slots, generator=generator)
        model.accumulate_gradient(positive.phase, **positive.weighting(), fresh=True, given=positive.given)
        if self.paired:
            model.accumulate_gradient(model.infer(particles, positive.given), **positive.weighting(-1.0), given=positive.given)
        else:
            model.accumulate_gradient(model.infer(particles), **positive.against(len(particles)))

    def after(self, model: RBM, slots: Slots, complete: Callable[[], None]) -> None:
        """Between the gradient, as it stands in `.grad`, and the optimiser's step. `complete()` has the biases make up for a change of the
        weights, where the learning coordinates ask for it (see `Transform.completes`)."""

    def between(self, model: RBM, slots: Slots, step: int) -> None:
        """After an update, `step` being its number from 1: what a rule does seldom, and may look at values for."""

    def metrics(self, slots: Slots) -> dict[str, float]:
        """What the rule has to say of the epoch that ends, beside the metrics of any machine."""
        return {}


def makes_particles(rule: Rule) -> bool:
    """Whether a rule says how the model's particles are made."""
    return type(rule).particles is not Rule.particles


def check_unpaired(given: Given | None) -> None:
    """Raises a ValueError where the partition function depends on the case, so that its particle must carry what is given of it."""
    found = [name for name, field in vars(given or Given()).items() if field is not None and name != "missing"]
    if found:
        raise ValueError(
            f"given.{found[0]} changes the partition function from case to case, and chains that belong to no case cannot carry it: use "
            "ContrastiveDivergence, whose particles do"
        )

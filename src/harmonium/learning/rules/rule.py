"""The interface of a learning rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM, Phase
from harmonium.processes import world_size
from harmonium.units import NOTHING, Given

Slots = dict[str, Tensor]
LATER = {"later": True}  # metadata of a setting that older checkpoints do not know: at its default it is left out of theirs
"""What a rule or a transform keeps from one update to the next, by name. It is part of the checkpoint, but for names that begin with
"work.": room to work in, whose content does not last from one update to the next."""


class Positive(NamedTuple):
    """The data's part of a gradient: a mini-batch after its positive phase.

    Parameters
    ----------
    phase : Phase
        The result of the positive phase, (cases, ...).
    shares : Tensor or float
        The share of each case in the data's average: one number for all, or (cases,).
    total : Tensor or float
        Sum of the shares over all processes, 1 or a tensor. A batch of heavy rows counts more than a batch of light rows, and so does its
        model part.
    given : Given
        What is given of each case.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> positive = hm.learning.Positive(rbm.infer(torch.eye(6)), 1 / 6, 1.0, hm.Given())
    >>> positive.average(torch.ones(6, 2))
    tensor([1., 1.])
    """

    phase: Phase
    shares: Tensor | float
    total: Tensor | float
    given: Given

    def weighting(self, sign: float = 1.0) -> dict[str, Any]:
        """The shares, times a sign, as arguments of `accumulate_gradient`."""
        return {"weights": self.shares, "scale": sign} if isinstance(self.shares, Tensor) else {"scale": sign * self.shares}

    def average(self, values: Tensor) -> Tensor:
        """Σ_n share_n · values_n for values of shape (cases, size): (size,). Of several processes, the cases of this one."""
        return self.shares @ values if isinstance(self.shares, Tensor) else values.sum(0) * self.shares

    def contrast(self, machine: RBM, model: Phase, *, paired: bool = False) -> None:
        """Overwrite every `.grad` of the machine with the data's part minus the model's.

        The model's particles, (particles, ...), share the same total: as the cases do if `paired`, else equally. Of several processes,
        each has this many.
        """
        machine.accumulate_gradient(self.phase, **self.weighting(), fresh=True, given=self.given)
        if paired:
            machine.accumulate_gradient(model, **self.weighting(-1.0), given=self.given)
            return
        each = self.total / (len(model.v) * world_size())
        equal = {"weights": each.expand(len(model.v)), "scale": -1.0} if isinstance(each, Tensor) else {"scale": -each}
        machine.accumulate_gradient(model, **equal)


class Rule:
    """How a model learns from data. By default grad = <∂E/∂θ>_data - <∂E/∂θ>_model, over particles that the rule makes.

    To write a rule, subclass this class and override `particles`, or `gradient` for another learning signal. What the rule keeps between
    updates goes in slots that `init` makes. The object itself holds only settings.

    Examples
    --------
    A rule that takes its particles from independent units with the model's biases:

    >>> import torch, harmonium as hm
    >>> class FromBiases(hm.Rule):
    ...     def particles(self, model, positive, slots, *, generator):
    ...         return model.visible.sample(model.visible.zero_input(20), generator=generator)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), negative=FromBiases(), epochs=2, progress=False)
    >>> len(state.history)
    2
    """

    paired: ClassVar[bool] = False
    """Whether particle n belongs to case n, has its weight, and takes what is given of it."""

    contrasts: ClassVar[bool] = True
    """Whether the gradient is a difference of averages of ∂E/∂θ, the data's and the model's."""

    @property
    def divided(self) -> Mapping[str, int]:
        """The slots that hold chains, which several processes divide among them: by name, the axis of the chains."""
        return {}

    def check(self, model: RBM, given: Given) -> None:
        """Check, before learning, that the rule can learn this machine from such cases.

        Parameters
        ----------
        model : RBM
            The machine.
        given : Given
            What is given of the cases.

        Raises
        ------
        ValueError, TypeError
            If the rule cannot learn it.
        """
        if not self.paired:
            check_unpaired(given)

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        """The slots before the first update."""
        return {}

    def particles(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> Tensor:
        """Visible states that represent the model's distribution.

        Parameters
        ----------
        model : RBM
            The machine.
        positive : Positive
            The data's part of the gradient.
        slots : dict of Tensor
            What the rule keeps between updates; change it in place.
        generator : torch.Generator
            For all draws.

        Returns
        -------
        Tensor
            States, (particles, *visible.shape).
        """
        raise TypeError(f"{type(self).__name__} makes no particles of the model; ContrastiveDivergence and PersistentCD do")

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> None:
        """Overwrite every `.grad`. The parameters are those of `particles`."""
        particles = self.particles(model, positive, slots, generator=generator)
        of_model = model.infer(particles, positive.given if self.paired else NOTHING)
        positive.contrast(model, of_model, paired=self.paired)

    def after(self, model: RBM, slots: Slots, complete: Callable[[], None]) -> None:
        """Called between the gradient, in `.grad`, and the optimiser's step.

        `complete()` lets the biases compensate for a change of the weights, where the learning coordinates require it (see
        `Transform.completes`).
        """

    def between(self, model: RBM, slots: Slots, step: int) -> None:
        """Called after update number `step` (from 1), for rare actions that may read values from the device."""

    def metrics(self, slots: Slots) -> dict[str, float]:
        """The rule's own metrics of the epoch that ends, added to those of any machine."""
        return {}


def makes_particles(rule: Rule) -> bool:
    """Whether a rule defines `particles`."""
    return type(rule).particles is not Rule.particles


def check_unpaired(given: Given) -> None:
    """Raise a ValueError if the partition function depends on the case, so that a particle must have what is given of its case."""
    found = [kind for kind in given.kinds if kind != "missing"]
    if found:
        raise ValueError(
            f"given.{found[0]} changes the partition function from case to case, and persistent chains belong to no case: use "
            "ContrastiveDivergence, whose particles belong to cases"
        )

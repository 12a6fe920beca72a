"""Contrastive divergence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback
from harmonium.models import RBM, Phase
from harmonium.units import Given


class Negative(Protocol):
    """How the model's particles, whose average the learning signal subtracts, are made."""

    paired: ClassVar[bool]
    """Whether particle n belongs to data case n, and bears its weight."""

    def start(self, model: RBM, generator: torch.Generator) -> Tensor | None:
        """Chains to keep from one step to the next: (chains, *visible.shape), replicas before them if there are any, or None."""

    def particles(
        self, model: RBM, data: Phase, chains: Tensor | None, *, generator: torch.Generator, given: Given | None = None
    ) -> Tensor:
        """Visible states of the particles: (particles, *visible.shape). May move `chains` in place."""


class Rule(ABC):
    """A learning rule that writes the whole gradient itself.

    For signals that are more than data minus an average over visible states, and where more than chains is kept in the training state.
    """

    contrasts: ClassVar[bool] = True
    """Whether the gradient is a difference of averages of ∂E/∂θ, the data's and the model's."""

    def start(self, model: RBM, generator: torch.Generator) -> Tensor | None:
        """Chains to keep from one step to the next, as `state.chains`, or None."""
        return None

    def check(self, model: RBM, given: Given | None) -> None:
        """Before learning: raises a ValueError or TypeError where the rule cannot learn this machine from such cases."""
        check_unpaired(given)

    @abstractmethod
    def gradient(
        self, model: RBM, data: Phase, weights: Tensor | None, *, scale: float, state: TrainingState, given: Given | None = None
    ) -> None:
        """Writes every `.grad` anew, of the mean over the data of what the rule lowers.

        Case n counts scale · weights_n, or `scale` where `weights`, (cases,), is None; these add up to one, or are all zero for a batch
        that is to teach nothing.
        """

    def figures(self, state: TrainingState) -> dict[str, float]:
        """What the rule has to say of the epoch that ends, beside the figures of any machine."""
        return {}

    def after(self, model: RBM, state: TrainingState, followers: Sequence[Callback]) -> None:  # noqa: B027 (not all need it)
        """Between the gradient, as it then stands in `.grad`, and the optimiser's step, which each of `followers` completes (`on_step`)."""


@dataclass(frozen=True)
class ContrastiveDivergence:
    """CD-k: the particles are the data after `steps` sweeps of block Gibbs sampling (Hinton 2002).

    Binary hidden states drive every reconstruction. `reconstruction`: "sample" draws the visible states, as likelihood needs;
    "mean" uses their means (Hinton's probabilities, less noise: his choice for pre-training). The particles' hidden units are
    averaged out, as the data's are.
    """

    steps: int = 1
    reconstruction: Literal["mean", "sample"] = "sample"

    paired: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"contrastive divergence takes at least one step, found {self.steps}")
        if self.reconstruction not in ("mean", "sample"):
            raise ValueError(f'reconstruction must be "mean" or "sample", found {self.reconstruction!r}')

    def start(self, model: RBM, generator: torch.Generator) -> None:
        return None

    def particles(
        self, model: RBM, data: Phase, chains: Tensor | None, *, generator: torch.Generator, given: Given | None = None
    ) -> Tensor:
        v, h = data.v, model.hidden.sample(data.input, generator=generator, mean=data.hidden_mean)
        for step in range(self.steps):
            if step:
                h = model.sample_hidden(v, generator=generator, given=given)
            mean = self.reconstruction == "mean"
            v = model.visible_mean(h, given) if mean else model.sample_visible(h, generator=generator, given=given)
        return v


def check_unpaired(given: Given | None) -> None:
    """Raises a ValueError where the partition function depends on the case, so that its particle must carry what is given of it."""
    found = [name for name, field in vars(given or Given()).items() if field is not None and name != "missing"]
    if found:
        raise ValueError(
            f"given.{found[0]} changes the partition function from case to case, and chains that belong to no case cannot carry it: use "
            "ContrastiveDivergence, whose particles do"
        )

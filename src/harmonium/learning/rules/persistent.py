"""Persistent contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Rule, Slots, check_unpaired
from harmonium.models import RBM


class Sampler(Protocol):
    """How persistent chains are moved."""

    def init(self, model: RBM, chains: int, generator: torch.Generator) -> Slots:
        """The slots before the first update; `chains` among them: (chains, *visible.shape), replicas before them if there are any."""

    def move(self, model: RBM, slots: Slots, steps: int, generator: torch.Generator) -> Tensor:
        """Moves the chains in place, and gives the states of the machine itself: (chains, *visible.shape)."""

    def between(self, slots: Slots, step: int) -> None:
        """As `Rule.between`."""

    def metrics(self, slots: Slots) -> dict[str, float]:
        """As `Rule.metrics`."""


@dataclass(frozen=True)
class Gibbs:
    """Block Gibbs sampling of the machine itself."""

    def init(self, model: RBM, chains: int, generator: torch.Generator) -> Slots:
        return {"chains": model.visible.sample(model.visible.zero_input(chains), generator=generator)}

    def move(self, model: RBM, slots: Slots, steps: int, generator: torch.Generator) -> Tensor:
        return slots["chains"].copy_(model.gibbs(slots["chains"], steps=steps, generator=generator))

    def between(self, slots: Slots, step: int) -> None:
        """Nothing."""

    def metrics(self, slots: Slots) -> dict[str, float]:
        return {}


@dataclass(frozen=True)
class PersistentCD(Rule):
    """PCD: `chains` Markov chains of the model that are never reset, moved `steps` sweeps per update (Tieleman 2008).

    Also known as stochastic maximum likelihood (Younes 1989). Needs small learning rates, so that the chains keep up. Visible
    states are always sampled. The number of chains is free of the batch size. The chains are of one machine with one partition function, so
    that what changes it from case to case (absent units, a document's length, a context) is refused; missing values are not.

    `sampler`: `Gibbs()`, or `Tempering(...)`, whose chains cross between modes by way of higher temperatures.
    """

    chains: int = 100
    steps: int = 1
    sampler: Sampler = Gibbs()

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"persistent CD takes at least one chain and one step, found {self.chains} and {self.steps}")

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        return self.sampler.init(model, self.chains, generator)

    @torch.no_grad()
    def particles(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> Tensor:
        check_unpaired(positive.given)
        return self.sampler.move(model, slots, self.steps, generator)

    def between(self, model: RBM, slots: Slots, step: int) -> None:
        self.sampler.between(slots, step)

    def metrics(self, slots: Slots) -> dict[str, float]:
        return self.sampler.metrics(slots)

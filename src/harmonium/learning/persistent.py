"""Persistent contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from harmonium.learning.contrastive import check_unpaired
from harmonium.models import RBM, Phase
from harmonium.units import Given


@dataclass(frozen=True)
class PersistentCD:
    """PCD: `chains` Markov chains of the model that are never reset, moved `steps` Gibbs sweeps per update (Tieleman 2008).

    Also known as stochastic maximum likelihood (Younes 1989). Needs small learning rates, so that the chains keep up. Visible
    states are always sampled. The number of chains is free of the batch size. The chains are of one machine with one partition function, so
    that what changes it from case to case (absent units, a document's length, a context) is refused; missing values are not.
    """

    chains: int = 100
    steps: int = 1

    paired: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"persistent CD takes at least one chain and one step, found {self.chains} and {self.steps}")

    def start(self, model: RBM, generator: torch.Generator) -> Tensor:
        return model.visible.sample(model.visible.blank(self.chains), generator=generator)

    def particles(
        self, model: RBM, data: Phase, chains: Tensor | None, *, generator: torch.Generator, given: Given | None = None
    ) -> Tensor:
        check_unpaired(given)
        assert chains is not None
        return chains.copy_(model.gibbs(chains, steps=self.steps, generator=generator))

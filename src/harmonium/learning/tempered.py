"""Tempered contrastive divergence: persistent chains that cross between modes by way of higher temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from harmonium.learning.contrastive import check_unpaired
from harmonium.models import RBM, Phase
from harmonium.sampling import tempering
from harmonium.units import Given


@dataclass(frozen=True)
class TemperedCD:
    """Persistent CD whose `chains` are moved by parallel tempering (Desjardins et al. 2010; Cho, Raiko & Ilin 2010).

    Each chain is a ladder of replicas at the inverse temperatures `betas` (increasing to 1, or how many, evenly from 0 to 1), all moved
    `steps` times per update: one Gibbs sweep and one round of swaps. The learning signal takes the replicas at β = 1, so that an update
    costs about as many more sweeps than `PersistentCD` as there are temperatures. The chains kept are (replicas, chains, *visible.shape),
    and `state` gives them as a tempering sampler's, to measure swap rates and round trips while learning. What `PersistentCD` refuses is
    refused here.
    """

    chains: int = 100
    betas: int | Sequence[float] = 11
    steps: int = 1

    paired: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"tempered CD takes at least one chain and one step, found {self.chains} and {self.steps}")
        if not isinstance(self.betas, int):
            object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        tempering.ladder(self.betas)

    def start(self, model: RBM, generator: torch.Generator) -> Tensor:
        return tempering.init(model, self.chains, self.betas, generator=generator).v

    def state(self, chains: Tensor) -> tempering.TemperingState:
        """The sampler's state at the chains kept, (replicas, chains, *visible.shape), all walkers at their beginning."""
        return tempering.from_states(chains, self.betas)

    def particles(
        self, model: RBM, data: Phase, chains: Tensor | None, *, generator: torch.Generator, given: Given | None = None
    ) -> Tensor:
        check_unpaired(given)
        assert chains is not None
        state = self.state(chains)
        for _ in range(self.steps):
            state, _ = tempering.step(model, state, generator=generator)
        return chains.copy_(state.v)[-1]

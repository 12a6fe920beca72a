"""Tempered contrastive divergence: persistent chains that cross between modes by way of higher temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from harmonium.learning.contrastive import Rule, check_unpaired
from harmonium.learning.state import TrainingState
from harmonium.models import RBM, Phase
from harmonium.sampling import tempering
from harmonium.units import Given

KEPT = ("betas", "identity", "heading", "round_trips")  # of the sampler's state, beside the chains


@dataclass(frozen=True)
class TemperedCD(Rule):
    """Persistent CD whose `chains` are moved by parallel tempering (Desjardins et al. 2010; Cho, Raiko & Ilin 2010).

    Each chain is a ladder of replicas at the inverse temperatures `betas` (increasing to 1, or how many, evenly from 0 to 1), all moved
    `steps` times per update: one Gibbs sweep and one round of swaps. The learning signal takes the replicas at β = 1, so that an update
    costs about as many more sweeps than `PersistentCD` as there are temperatures. What `PersistentCD` refuses is refused here.

    `adapt`: after every so many updates the temperatures are moved to where all neighbours swap about equally often, judged by the swaps
    since the last time (`tempering.adapt`; Syed et al. 2022), for the ladder that suits a machine changes as it learns. Their number and
    both ends stay. It is the average over all those updates and chains that sets the temperatures, so that they hardly depend on where the
    chains are just now, which would bias them. By default the temperatures stay as they are given.

    Each epoch's figures have `swap_rate` and `least_swap_rate`, the mean acceptance over all pairs and of the worst, and `round_trips`,
    from the machine to the hottest temperature and back, of a chain's walkers together. The chains kept are (replicas, chains,
    *visible.shape); `state` gives them as a tempering sampler's.
    """

    chains: int = 100
    betas: int | Sequence[float] = 11
    steps: int = 1
    adapt: int | None = None

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"tempered CD takes at least one chain and one step, found {self.chains} and {self.steps}")
        if self.adapt is not None and self.adapt < 1:
            raise ValueError(f"adapt is the number of updates from one adaptation of the temperatures to the next, found {self.adapt}")
        if not isinstance(self.betas, int):
            object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        tempering.ladder(self.betas)

    def start(self, model: RBM, generator: torch.Generator) -> Tensor:
        return tempering.init(model, self.chains, self.betas, generator=generator).v

    def state(self, training: TrainingState) -> tempering.TemperingState:
        """The sampler's state that training has come to; before its first update all walkers are at their beginning."""
        assert training.chains is not None
        kept: dict[str, Any] = {name: training.tempering[name] for name in KEPT if training.tempering}
        return replace(tempering.from_states(training.chains, self.betas), **kept)

    def gradient(
        self, model: RBM, data: Phase, weights: Tensor | None, *, scale: float, state: TrainingState, given: Given | None = None
    ) -> None:
        check_unpaired(given)
        particles = self._moved(model, state)
        model.accumulate_gradient(data, weights=weights, scale=scale, fresh=True, given=given)
        borne = None if weights is None else (weights.sum() > 0).to(particles).expand(self.chains)
        model.accumulate_gradient(model.infer(particles), weights=borne, scale=-1 / self.chains)

    def figures(self, state: TrainingState) -> dict[str, float]:
        *accepted, updates = state.totals["swaps"].tolist()
        return {
            "swap_rate": sum(accepted) / len(accepted) / updates,
            "least_swap_rate": min(accepted) / updates,
            "round_trips": state.totals["round_trips"].item() / self.chains,
        }

    def _moved(self, model: RBM, training: TrainingState) -> Tensor:
        """Moves all chains and, when it is time, the temperatures; the visible states at β = 1, (chains, *visible.shape)."""
        before = after = self.state(training)
        accepted = torch.zeros(len(before.betas) - 1, dtype=torch.float64, device=before.v.device)
        for _ in range(self.steps):
            after, info = tempering.step(model, after, generator=training.generator)
            accepted += info.acceptance.double().mean(1) / self.steps
        swaps = torch.cat([accepted, accepted.new_ones(1)])  # of each pair, and the number of updates
        training.add("swaps", swaps)
        training.add("round_trips", after.round_trips.sum() - before.round_trips.sum())
        since = swaps + training.tempering.get("swaps", 0)
        if self.adapt is not None and (training.step + 1) % self.adapt == 0:
            rates = (since[:-1] / since[-1]).clamp(0, 1)
            after, since = replace(after, betas=tempering.adapt(after.betas, rates).to(rates.device)), torch.zeros_like(since)
        training.tempering = {name: getattr(after, name) for name in KEPT} | {"swaps": since}
        assert training.chains is not None
        return training.chains.copy_(after.v)[-1]

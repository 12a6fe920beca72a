"""Persistent chains that cross between modes by way of higher temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Slots
from harmonium.models import RBM
from harmonium.sampling import tempering

KEPT = ("betas", "identity", "heading", "round_trips")  # of the sampler's state, beside the chains


@dataclass(frozen=True)
class Tempering:
    """Parallel tempering as the sampler of `PersistentCD` (Desjardins et al. 2010; Cho, Raiko & Ilin 2010).

    Each chain is a ladder of replicas at the inverse temperatures `betas` (increasing to 1, or how many, evenly from 0 to 1). A step is one
    Gibbs sweep of all replicas and one round of swaps. The learning signal takes the replicas at β = 1, so that an update costs about as
    many more sweeps as there are temperatures.

    `adapt`: after every so many updates the temperatures are moved to where all neighbours swap about equally often, judged by the swaps
    since the last time (`tempering.adapt`; Syed et al. 2022), for the ladder that suits a machine changes as it learns. Their number and
    both ends stay. It is the average over all those updates and chains that sets the temperatures, so that they hardly depend on where the
    chains are just now, which would bias them. By default the temperatures stay as they are given.

    Each epoch's metrics have `swap_rate` and `least_swap_rate`, the mean acceptance over all pairs and of the worst, and `round_trips`,
    from the machine to the hottest temperature and back, of a chain's walkers together. The chains kept are (replicas, chains,
    *visible.shape); `state` gives them as a tempering sampler's.
    """

    betas: int | Sequence[float] = 11
    adapt: int | None = None

    def __post_init__(self) -> None:
        if self.adapt is not None and self.adapt < 1:
            raise ValueError(f"adapt is the number of updates from one adaptation of the temperatures to the next, found {self.adapt}")
        if not isinstance(self.betas, int):
            object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        tempering.ladder(self.betas)

    def init(self, model: RBM, chains: int, generator: torch.Generator) -> Slots:
        state = tempering.init(model, chains, self.betas, generator=generator)
        pairs = torch.zeros(len(state.betas), dtype=torch.float64, device=state.v.device)  # of each pair, and the number of updates
        return {
            "chains": state.v,
            **{name: getattr(state, name) for name in KEPT},
            "swaps": pairs,
            "swaps_of_epoch": pairs.clone(),
            "trips_of_epoch": pairs[:1].clone(),
        }

    def state(self, slots: Slots) -> tempering.TemperingState:
        """The slots as the state of a tempering sampler."""
        betas, identity, heading, trips = (slots[name] for name in KEPT)
        return tempering.TemperingState(slots["chains"], betas, identity, heading, trips)

    def move(self, model: RBM, slots: Slots, steps: int, generator: torch.Generator) -> Tensor:
        before = after = self.state(slots)
        for _ in range(steps):
            after, info = tempering.step(model, after, generator=generator)
            accepted = info.acceptance.double().mean(1) / steps
            for name in ("swaps", "swaps_of_epoch"):
                slots[name][:-1] += accepted
        for name in ("swaps", "swaps_of_epoch"):
            slots[name][-1] += 1
        slots["trips_of_epoch"] += after.round_trips.sum() - before.round_trips.sum()
        for name in KEPT[1:]:
            slots[name].copy_(getattr(after, name))
        return slots["chains"].copy_(after.v)[-1]

    def between(self, slots: Slots, step: int) -> None:
        if self.adapt is not None and step % self.adapt == 0:
            rates = (slots["swaps"][:-1] / slots["swaps"][-1]).clamp(0, 1)
            slots["betas"].copy_(tempering.adapt(slots["betas"], rates))
            slots["swaps"].zero_()

    def metrics(self, slots: Slots) -> dict[str, float]:
        *accepted, updates = slots["swaps_of_epoch"].tolist()
        trips = slots["trips_of_epoch"].item()
        slots["swaps_of_epoch"].zero_()
        slots["trips_of_epoch"].zero_()
        return {
            "swap_rate": sum(accepted) / len(accepted) / updates,
            "least_swap_rate": min(accepted) / updates,
            "round_trips": trips / slots["chains"].shape[1],
        }

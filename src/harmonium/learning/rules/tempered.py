"""Persistent chains that cross between modes through higher temperatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Slots
from harmonium.models import RBM
from harmonium.processes import add_up, world_size
from harmonium.sampling import tempering

KEPT = ("betas", "identity", "heading", "round_trips")  # of the sampler's state, beside the chains


@dataclass(frozen=True)
class Tempering:
    """Parallel tempering as the sampler of `PersistentCD` (Desjardins et al. 2010; Cho, Raiko & Ilin 2010).

    Each chain is a ladder of replicas at the inverse temperatures `betas`. A step is one Gibbs sweep of all replicas and one round of
    swaps. The learning signal uses the replicas at β = 1. So the sampling of an update costs about as many times more as there are
    temperatures.

    Parameters
    ----------
    betas : int or sequence of float, default 11
        Inverse temperatures, increasing to 1, at least two; or how many, spaced evenly from 0 to 1.
    adapt : int, optional
        Number of updates between adaptations of the temperatures, at least one. Each moves the temperatures to where all neighbours swap
        about equally often. Their number and both ends stay. By default the temperatures are fixed.

    Raises
    ------
    ValueError
        For values outside these ranges.

    Notes
    -----
    A ladder that suits a machine changes as the machine learns. An adaptation uses the swaps since the last one (`tempering.adapt`; Syed et
    al. 2022, doi:10.1111/rssb.12464). It is an average over all these updates and chains. So the temperatures hardly depend on where the
    chains are at present, which would bias the chains.

    The metrics of each epoch include `swap_rate` and `least_swap_rate`, the mean acceptance over all pairs and that of the worst pair. They
    also include `round_trips`, from the machine to the hottest temperature and back, summed over the walkers of one chain. The stored
    chains are (replicas, chains, *visible.shape). `state` returns them as the state of a tempering sampler.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> rule = hm.PersistentCD(chains=20, sampler=hm.Tempering(betas=3))
    >>> state = hm.fit(rbm, torch.eye(6), negative=rule, epochs=2, progress=False)
    >>> state.chains.shape
    torch.Size([3, 20, 6])
    """

    betas: int | Sequence[float] = 11
    adapt: int | None = None

    def __post_init__(self) -> None:
        if self.adapt is not None and self.adapt < 1:
            raise ValueError(f"adapt is the number of updates between adaptations of the temperatures, at least 1, found {self.adapt}")
        if not isinstance(self.betas, int):
            object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        tempering.ladder(self.betas)

    @property
    def divided(self) -> Mapping[str, int]:
        return dict.fromkeys(("chains", *KEPT[1:]), 1)

    def init(self, model: RBM, chains: int, generator: torch.Generator) -> Slots:
        state = tempering.init(model, chains, self.betas, generator=generator)
        pairs = torch.zeros(len(state.betas), dtype=torch.float64, device=state.v.device)  # sums for each pair, then the number of updates
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
            add_up([slots["swaps"]])
            rates = (slots["swaps"][:-1] / slots["swaps"][-1]).clamp(0, 1)
            slots["betas"].copy_(tempering.adapt(slots["betas"], rates))
            slots["swaps"].zero_()

    def metrics(self, slots: Slots) -> dict[str, float]:
        add_up([slots["swaps_of_epoch"], slots["trips_of_epoch"]])
        *accepted, updates = slots["swaps_of_epoch"].tolist()
        trips = slots["trips_of_epoch"].item()
        slots["swaps_of_epoch"].zero_()
        slots["trips_of_epoch"].zero_()
        return {
            "swap_rate": sum(accepted) / len(accepted) / updates,
            "least_swap_rate": min(accepted) / updates,
            "round_trips": trips / (slots["chains"].shape[1] * world_size()),
        }

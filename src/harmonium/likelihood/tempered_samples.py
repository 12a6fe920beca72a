"""Samples of a machine by parallel tempering, one from each of several independent chains."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.progress_bar import shown
from harmonium.sampling import tempering
from harmonium.units import NOTHING, Given

REPLICAS, MOST_REPLICAS = 11, 30  # at the start; at most after adaptation
SWAPS = 0.4  # the target acceptance rate of adaptation
LEAST_SWAPS = 0.1  # below it a pair hardly swaps, its counted rejections are too few, and replicas are missing there
ROUNDS = 3  # of adaptation, each of a tenth of the sweeps
RUNS = 3  # at most, each after its own rounds


@dataclass(frozen=True)
class Tempered:
    """The ends of independent tempered chains, with their swap rates and round trips.

    `v`: (chains, *visible.shape), states of the machine itself. `betas`: (replicas,), float64, after adaptation. `swap_rates`:
    (replicas - 1,), the mean acceptance of each pair. `round_trips`: from the machine to the hottest temperature and back, summed over the
    walkers of all chains. `sweeps`: number of sweeps at these temperatures; the last two figures are counted over them.
    """

    v: Tensor = field(repr=False)
    betas: Tensor = field(repr=False)
    swap_rates: Tensor
    round_trips: int
    sweeps: int


@torch.no_grad()
def tempered_samples(
    model: RBM,
    chains: int,
    sweeps: int,
    *,
    generator: torch.Generator,
    given: Given = NOTHING,
    progress: bool = False,
) -> Tempered:
    """Samples of independent chains that start from draws of the visible units' own biases, at eleven temperatures.

    Three rounds, of a tenth of the sweeps each, adapt the temperatures so that all neighbours swap about equally often: at 0.4 where 30
    temperatures suffice. Then come `sweeps` at fixed temperatures. While a pair swaps less often than 0.1, each such pair adds a
    temperature and none is dropped. A pair may reach this late, when the colder chains find a mode only after the adaptation. Then
    everything is repeated from the present states, up to three times in all, if temperatures can be added or moved.

    `given`: one case, for all chains. `progress`: as for `ais`, of the sweeps at fixed temperatures. Raises what `tempering.init`
    raises.
    """
    if chains < 1 or sweeps < 1:
        raise ValueError(f"tempering takes at least one chain and one sweep, found {chains} and {sweeps}")
    device = model.visible.zero_input().device
    each = given.to(device).expand(chains)
    state = tempering.init(model, chains, REPLICAS, generator=generator, given=each)
    for _ in range(RUNS):
        for _ in range(ROUNDS):
            state, rates = _moved(model, state, range(max(sweeps // 10, 1)), generator)
            state = _adapted(state, rates)
        state, rates = _moved(model, state, shown(list(range(sweeps)), "tempering", progress), generator)
        if rates.min() >= LEAST_SWAPS or (len(rates) + 1 == MOST_REPLICAS and rates.max() < SWAPS):
            break
    return Tempered(state.v[-1], state.betas.cpu(), rates, int(state.round_trips.sum()), sweeps)


def _adapted(state: tempering.TemperingState, rates: Tensor) -> tempering.TemperingState:
    """The chains at the temperatures that these swap rates, (replicas - 1,), suggest. Each starts from the nearest old replica."""
    pairs = math.ceil((1 - rates).sum().item() / (1 - SWAPS))  # the sum of rejections hardly depends on the number of temperatures
    slow = int((rates < LEAST_SWAPS).sum())
    if slow:
        pairs = max(pairs, len(rates) + slow)
    betas = tempering.adapt(state.betas, rates, replicas=min(max(pairs, 1) + 1, MOST_REPLICAS))
    nearest = (betas[:, None] - state.betas.cpu()).abs().argmin(dim=1)
    return tempering.from_states(state.v[nearest.to(state.v.device)], betas, state.given)


def _moved(
    model: RBM, state: tempering.TemperingState, sweeps: Iterable[int], generator: torch.Generator
) -> tuple[tempering.TemperingState, Tensor]:
    """The state after some sweeps, and the mean acceptance of each pair in the second half of them: (replicas - 1,) float64."""
    accepted = []
    for _ in sweeps:
        state, info = tempering.step(model, state, generator=generator)
        accepted.append(info.acceptance.double().mean(1))
    return state, torch.stack(accepted[len(accepted) // 2 :]).mean(0).clamp(0, 1).cpu()

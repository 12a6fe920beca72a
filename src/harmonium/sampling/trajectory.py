"""Parallel trajectory tempering: replica exchange between the models of one training (Béreux, Decelle, Furtlehner et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.models.saving import describe
from harmonium.sampling.exchange import Walkers, beginning, followed, swaps, taken
from harmonium.units import Given

MEASURED = 20  # steps of tempering over which `choose` measures how often neighbours swap
SHORT = 0.8  # of the rate wanted: what it takes as too rare


@dataclass(frozen=True)
class TrajectoryState:
    """Chains, each with one replica for every model of a trajectory. Replica r leaves p_r(v) of models[r] as it is.

    A swap exchanges the states of two replicas; who bears them is a walker. `v`: (replicas, chains, *visible.shape). `identity`:
    (replicas, chains), the place that the walker now at this place began at. `heading`: (replicas, chains), whether this walker has not
    yet been at the last model (0), is on its way from there to the first (1) or on its way back (2). `round_trips`: (replicas, chains), how
    often it has come back to the last model from the first. `given`: of each chain, fields of (chains, ...), the same for all its replicas.
    """

    v: Tensor
    identity: Tensor
    heading: Tensor
    round_trips: Tensor
    given: Given | None = None


class TrajectoryInfo(NamedTuple):
    """Of each neighbouring pair, the earliest first, the probability with which its swap was accepted and whether it was: (replicas - 1,
    chains) each."""

    acceptance: Tensor
    swapped: Tensor


def check_alike(models: Sequence[RBM], least: int = 1, given: Given | None = None) -> None:
    """Raises a ValueError unless these are at least so many models of the same layers, wired in the same way, each with a partition
    function, and a TypeError where a layer has no energy."""
    if len(models) < least:
        raise ValueError(f"a trajectory has at least {least} model{'s' * (least > 1)} here, found {len(models)}")
    first = describe(models[0])
    for number, model in enumerate(models):
        found = describe(model)
        if found != first:
            differing = next(name for name in first if found.get(name) != first[name])
            raise ValueError(
                f"the models of a trajectory must have the same layers and coupling: number {number} has the {differing} "
                f"{found.get(differing)} and the first {first[differing]}"
            )
        model.check_normalisable(given)


@torch.no_grad()
def acceptance(first: RBM, second: RBM, v_first: Tensor, v_second: Tensor, given: Given | None = None) -> Tensor:
    """The probability with which two models exchange their states, each (chains, *visible.shape), the hidden units summed out:

    min(1, p_1(v_2) p_2(v_1) / (p_1(v_1) p_2(v_2)))        (chains,)
    """
    return _log_ratio(first, second, v_first, v_second, given).clamp(max=0).exp()


def from_states(v: Tensor, given: Given | None = None) -> TrajectoryState:
    """The state whose replicas stand at v, (replicas, chains, *visible.shape), each at its own place."""
    return TrajectoryState(v, *beginning(len(v), v.shape[1], v.device), given)


@torch.no_grad()
def init(models: Sequence[RBM], chains: int, *, steps: int = 10, generator: torch.Generator, given: Given | None = None) -> TrajectoryState:
    """Replicas that follow the training: from draws of the first model's visible biases, `steps` Gibbs sweeps of each model in turn.

    `models`: at least two, in the order of training, such as a `Trajectory` keeps and `choose` picks. `given`: fields of (chains, ...).
    ValueError unless they are of the same layers and coupling and have a partition function; TypeError where a layer has no energy.
    """
    check_alike(models, 2, given)
    visible = models[0].visible
    v, found = visible.sample(visible.zero_input(chains), generator=generator, given=given), []
    for model in models:
        v = model.gibbs(v, steps=steps, generator=generator, given=given)
        found.append(v)
    return from_states(torch.stack(found), given)


@torch.no_grad()
def step(
    models: Sequence[RBM], state: TrajectoryState, *, steps: int = 1, generator: torch.Generator
) -> tuple[TrajectoryState, TrajectoryInfo]:
    """`steps` Gibbs sweeps of every replica under its own model, then swaps: the even neighbours, then the odd ones.

    Visible states of neighbours i and j are exchanged with probability min(1, exp(F_i(v_i) + F_j(v_j) - F_i(v_j) - F_j(v_i))), F the
    free energies, which needs no partition function and leaves the product of all p_r(v_r) as it is. A first model without weights is
    drawn afresh by its sweep, and so, nearly, is one with the small weights of a fresh machine. ValueError where values are missing: no
    free energy in closed form sums over them.
    """
    if len(state.v) != len(models):
        raise ValueError(f"expected one replica for each of {len(models)} models, found {len(state.v)}")
    moved = zip(models, state.v, strict=True)
    v = torch.stack([model.gibbs(at, steps=steps, generator=generator, given=state.given) for model, at in moved])
    neighbours = list(pairwise(models))

    def log_ratio(first: int, place: Tensor) -> Tensor:
        here = list(pairwise(taken(v, place)))
        return torch.stack([_log_ratio(*neighbours[pair], *here[pair], state.given) for pair in range(first, len(neighbours), 2)])

    chance = torch.rand(len(neighbours), v.shape[1], generator=generator, dtype=v.dtype, device=v.device)
    place, accepted, swapped = swaps(len(models), chance, log_ratio)
    walkers = followed(Walkers(state.identity, state.heading, state.round_trips), place)
    return replace(state, v=taken(v, place), **walkers._asdict()), TrajectoryInfo(accepted, swapped)


@torch.no_grad()
def choose(
    models: Sequence[RBM],
    *,
    target: float = 0.25,
    chains: int = 500,
    steps: int = 10,
    generator: torch.Generator,
    given: Given | None = None,
) -> list[int]:
    """The numbers of few models, the first and the last among them, of which all neighbours swap with a rate of about `target` or more.

    First chains follow the training, `steps` Gibbs sweeps of each model in turn; a model is picked where the next one would be accepted
    by the last one picked more rarely than `target`. Such chains may lag behind where the modes shift. So the models picked are tempered
    along, their rates measured, and more models picked half way between neighbours that swap too rarely, until there are none. Models
    that were kept one after another and swap more rarely still are both picked: more must then be kept while learning. `given`: one
    case (no leading axes).
    """
    if not 0 < target < 1:
        raise ValueError(f"the swap rate wanted lies between 0 and 1, found {target}")
    if chains < 2:
        raise ValueError(f"choosing takes at least two chains, found {chains}")
    check_alike(models, given=given)
    every = None if given is None else given.map(lambda field: field.expand(chains, *field.shape))
    picked = _following(models, target, chains, steps, generator, every)
    while len(picked) > 1:
        rates = _rates([models[number] for number in picked], chains, steps, generator, every)
        pairs = zip(pairwise(picked), rates, strict=True)
        between = [(i + j) // 2 for (i, j), rate in pairs if rate < SHORT * target and j - i > 1]
        if not between:
            break
        picked = sorted([*picked, *between])
    return picked


def _following(models: Sequence[RBM], target: float, chains: int, steps: int, generator: torch.Generator, given: Given | None) -> list[int]:
    """Picked by chains that follow the training."""
    visible = models[0].visible
    v = visible.sample(visible.zero_input(chains), generator=generator, given=given)
    v = models[0].gibbs(v, steps=steps, generator=generator, given=given)
    picked, at = [0], v
    for number in range(1, len(models)):
        last, before, v = picked[-1], v, models[number].gibbs(v, steps=steps, generator=generator, given=given)
        # Each chain meets the next one, from which it does not stem.
        rate = acceptance(models[last], models[number], at, v.roll(1, 0), given).mean().item()
        if rate < target and number - 1 > last:
            picked.append(number - 1)
            at = before
    return picked if picked[-1] == len(models) - 1 else [*picked, len(models) - 1]


def _rates(models: Sequence[RBM], chains: int, steps: int, generator: torch.Generator, given: Given | None) -> list[float]:
    """How often neighbours swap, in the second half of some tempering."""
    state, found = init(models, chains, steps=steps, generator=generator, given=given), []
    for number in range(2 * MEASURED):
        state, info = step(models, state, generator=generator)
        if number >= MEASURED:
            found.append(info.acceptance.double().mean(1))
    rates: list[float] = torch.stack(found).mean(0).tolist()
    return rates


def _log_ratio(first: RBM, second: RBM, v_first: Tensor, v_second: Tensor, given: Given | None) -> Tensor:
    """log p_1(v_2) p_2(v_1) / (p_1(v_1) p_2(v_2)): (chains,)."""
    gain = first.free_energy(v_first, given) - first.free_energy(v_second, given)
    return gain + second.free_energy(v_second, given) - second.free_energy(v_first, given)

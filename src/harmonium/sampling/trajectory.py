"""Parallel trajectory tempering: replica exchange between the models of one training run (Béreux, Decelle, Furtlehner et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.sampling.exchange import Walkers, beginning, followed, swaps, taken
from harmonium.sampling.trajectory_models import acceptance, check_alike, log_ratio_of
from harmonium.units import NOTHING, Given

MEASURED = 20  # steps of tempering over which `choose` measures how often neighbours swap
SHORT = 0.8  # neighbours swap too rarely below this share of the wanted rate


@dataclass(frozen=True)
class TrajectoryState:
    """Chains, each with one replica per model of a trajectory. Replica r leaves p_r(v) of models[r] invariant.

    A swap exchanges the states of two replicas. A walker is what carries a state from place to place.

    Attributes
    ----------
    v : Tensor
        (replicas, chains, *visible.shape), the visible states. The last replica samples the last model.
    identity : Tensor
        (replicas, chains), the place where the walker that is now here started.
    heading : Tensor
        (replicas, chains). 0: the walker has not yet been at the last model. 1: it is on its way from the last model to the first. 2: it is
        on its way back.
    round_trips : Tensor
        (replicas, chains), the number of times that the walker has returned to the last model from the first.
    given : Given
        Side information about each chain, fields of (chains, ...). All its replicas share it.
    """

    v: Tensor
    identity: Tensor
    heading: Tensor
    round_trips: Tensor
    given: Given = NOTHING


class TrajectoryInfo(NamedTuple):
    """The swaps of one step. Pairs are in the order of training.

    Attributes
    ----------
    acceptance : Tensor
        (replicas - 1, chains), the acceptance probability of each pair's swap.
    swapped : Tensor
        (replicas - 1, chains), whether the swap was made.
    """

    acceptance: Tensor
    swapped: Tensor


def from_states(v: Tensor, given: Given = NOTHING) -> TrajectoryState:
    """The state whose replicas stand at v, (replicas, chains, *visible.shape), each walker at its own place."""
    return TrajectoryState(v, *beginning(len(v), v.shape[1], v.device), given)


@torch.no_grad()
def init(models: Sequence[RBM], chains: int, *, steps: int = 10, generator: torch.Generator, given: Given = NOTHING) -> TrajectoryState:
    """Replicas that follow the training run: `steps` Gibbs sweeps of each model in turn, from draws of the first model's visible biases.

    Parameters
    ----------
    models : sequence of RBM
        At least two models in the order of training. The callback `Trajectory` keeps such models, and `choose` selects among them.
    chains : int
        Number of chains.
    steps : int, default 10
        Gibbs sweeps per model.
    generator : torch.Generator
        The source of all draws.
    given : Given, optional
        Side information about each chain, fields of (chains, ...).

    Returns
    -------
    TrajectoryState
        The chains.

    Raises
    ------
    ValueError
        Unless the models have the same layers and coupling, and a partition function.
    TypeError
        If a layer has no energy.
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
    """`steps` Gibbs sweeps of every replica under its own model, then swaps of the even pairs, then of the odd pairs.

    A first model without weights is sampled independently by one sweep. This nearly holds for the small weights of an untrained machine.

    Parameters
    ----------
    models : sequence of RBM
        The models, one per replica.
    state : TrajectoryState
        The chains.
    steps : int, default 1
        Gibbs sweeps before the swaps.
    generator : torch.Generator
        The source of all draws.

    Returns
    -------
    state : TrajectoryState
        The chains after the swaps.
    info : TrajectoryInfo
        Which swaps were made.

    Raises
    ------
    ValueError
        If the number of replicas differs from that of the models, and if values are missing: the free energy has no closed form then.

    Notes
    -----
    Neighbours i and j exchange their visible states with probability

        min(1, exp(F_i(v_i) + F_j(v_j) - F_i(v_j) - F_j(v_i)))

    Here F is the free energy. No partition function is needed. The step leaves the product of all p_r(v_r) invariant.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> models = [hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(3)]
    >>> state = hm.sampling.trajectory.init(models, 5, generator=generator)
    >>> state, info = hm.sampling.trajectory.step(models, state, generator=generator)
    >>> tuple(state.v.shape), tuple(info.acceptance.shape)
    ((3, 5, 6), (2, 5))
    """
    if len(state.v) != len(models):
        raise ValueError(f"expected one replica for each of {len(models)} models, found {len(state.v)}")
    moved = zip(models, state.v, strict=True)
    v = torch.stack([model.gibbs(at, steps=steps, generator=generator, given=state.given) for model, at in moved])
    neighbours = list(pairwise(models))

    def log_ratio(first: int, place: Tensor) -> Tensor:
        here = list(pairwise(taken(v, place)))
        return torch.stack([log_ratio_of(*neighbours[pair], *here[pair], state.given) for pair in range(first, len(neighbours), 2)])

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
    given: Given = NOTHING,
) -> list[int]:
    """Selects few models of a trajectory such that all neighbours swap at a rate of about `target` or more.

    Parameters
    ----------
    models : sequence of RBM
        Models in the order of training.
    target : float, default 0.25
        The wanted swap rate, between 0 and 1.
    chains : int, default 500
        Number of chains, at least two.
    steps : int, default 10
        Gibbs sweeps of each model.
    generator : torch.Generator
        The source of all draws.
    given : Given, optional
        Side information of one case, without leading axes.

    Returns
    -------
    list of int
        The numbers of the selected models. The first and the last model are among them.

    Raises
    ------
    ValueError
        For a `target` not between 0 and 1, fewer than two chains, or models that do not fit together.

    Notes
    -----
    First, chains follow the training run with `steps` Gibbs sweeps of each model in turn. A model is selected if its successor would swap
    with the last selected model at a rate below `target`. Such chains may lag behind where the modes move. So the selected models are
    tempered and their rates are measured. Further models are selected half way between neighbours that swap too rarely, until there are no
    such neighbours. Two consecutive models that swap more rarely still are both selected. Then more models must be kept during learning.
    """
    if not 0 < target < 1:
        raise ValueError(f"the wanted swap rate must lie between 0 and 1, found {target}")
    if chains < 2:
        raise ValueError(f"the choice of models takes at least two chains, found {chains}")
    check_alike(models, given=given)
    every = given.expand(chains)
    picked = _following(models, target, chains, steps, generator, every)
    while len(picked) > 1:
        rates = _rates([models[number] for number in picked], chains, steps, generator, every)
        pairs = zip(pairwise(picked), rates, strict=True)
        between = [(i + j) // 2 for (i, j), rate in pairs if rate < SHORT * target and j - i > 1]
        if not between:
            break
        picked = sorted([*picked, *between])
    return picked


def _following(models: Sequence[RBM], target: float, chains: int, steps: int, generator: torch.Generator, given: Given) -> list[int]:
    """Selected by chains that follow the training run."""
    visible = models[0].visible
    v = visible.sample(visible.zero_input(chains), generator=generator, given=given)
    v = models[0].gibbs(v, steps=steps, generator=generator, given=given)
    picked, at = [0], v
    for number in range(1, len(models)):
        last, before, v = picked[-1], v, models[number].gibbs(v, steps=steps, generator=generator, given=given)
        # Each chain is compared with the state of another chain, from which it does not descend.
        rate = acceptance(models[last], models[number], at, v.roll(1, 0), given).mean().item()
        if rate < target and number - 1 > last:
            picked.append(number - 1)
            at = before
    return picked if picked[-1] == len(models) - 1 else [*picked, len(models) - 1]


def _rates(models: Sequence[RBM], chains: int, steps: int, generator: torch.Generator, given: Given) -> list[float]:
    """The swap rate of each pair of neighbours, in the second half of a short tempering run."""
    state, found = init(models, chains, steps=steps, generator=generator, given=given), []
    for number in range(2 * MEASURED):
        state, info = step(models, state, generator=generator)
        if number >= MEASURED:
            found.append(info.acceptance.double().mean(1))
    rates: list[float] = torch.stack(found).mean(0).tolist()
    return rates

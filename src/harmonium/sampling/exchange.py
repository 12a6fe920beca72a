"""Replica exchange: which neighbours swap their states, and which places each walker has visited."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

UNSEEN, HEATING, COOLING = range(3)  # not yet at the last place; on the way to the first; on the way back

LogRatio = Callable[[int, Tensor], Tensor]
"""(first, place) -> (pairs, chains): the log ratio of the joint density after the swaps to that before them.

The pairs are first and first + 1, first + 2 and first + 3, ... The state of replica r comes from place[r].
"""


class Walkers(NamedTuple):
    """The walker at each place of each ladder, (replicas, chains) each. A walker carries a state from place to place.

    Attributes
    ----------
    identity : Tensor
        The place where the walker that is now here started.
    heading : Tensor
        0: the walker has not yet been at the last place. 1: it is on its way from the last place to the first. 2: it is on its way back.
    round_trips : Tensor
        Number of times that the walker has returned to the last place from the first.
    """

    identity: Tensor
    heading: Tensor
    round_trips: Tensor


def beginning(replicas: int, chains: int, device: torch.device) -> Walkers:
    """Walkers that all stand at their own places."""
    identity = torch.arange(replicas, device=device)[:, None].repeat(1, chains)
    heading = torch.where(identity == replicas - 1, HEATING, UNSEEN)
    return Walkers(identity, heading, torch.zeros_like(identity))


def swaps(replicas: int, chance: Tensor, log_ratio: LogRatio) -> tuple[Tensor, Tensor, Tensor]:
    """Swaps the even pairs of neighbours, then the odd ones, each with probability min(1, exp(log ratio)).

    Parameters
    ----------
    replicas : int
        Number of places.
    chance : Tensor
        (replicas - 1, chains), uniform random numbers.
    log_ratio : LogRatio
        The log ratio of densities after and before the swaps.

    Returns
    -------
    place : Tensor
        (replicas, chains), the place from which each place's state comes.
    acceptance : Tensor
        (replicas - 1, chains), the probability of each pair's swap.
    swapped : Tensor
        (replicas - 1, chains), whether the swap was made.
    """
    chance = chance.clamp_min(torch.finfo(chance.dtype).eps / 4)  # a zero would accept even a swap of probability zero
    acceptance, swapped = torch.empty_like(chance), torch.empty_like(chance, dtype=torch.bool)
    place = torch.arange(replicas, device=chance.device)[:, None].repeat(1, chance.shape[1])
    for first in range(min(2, replicas - 1)):
        lower, upper = place[:-1][first::2], place[1:][first::2]
        found = log_ratio(first, place).clamp(max=0).exp().to(chance)
        accepted = chance[first::2] < found
        acceptance[first::2], swapped[first::2] = found, accepted
        moved = torch.where(accepted, upper, lower), torch.where(accepted, lower, upper)
        place[:-1][first::2], place[1:][first::2] = moved
    return place, acceptance, swapped


def followed(walkers: Walkers, place: Tensor) -> Walkers:
    """The walkers after the swaps that `place`, (replicas, chains), describes."""
    identity, heading, trips = (field.gather(0, place) for field in walkers)
    trips[-1] += heading[-1] == COOLING
    heading[-1].fill_(HEATING)
    heading[0] = torch.where(heading[0] == HEATING, COOLING, heading[0])
    return Walkers(identity, heading, trips)


def taken(states: Tensor, place: Tensor) -> Tensor:
    """The states, (replicas, chains, *shape), each from the replica that `place`, (replicas, chains), names."""
    return states[place, torch.arange(place.shape[1], device=place.device)]

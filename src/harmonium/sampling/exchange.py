"""Replica exchange: which neighbours swap their states, and how far each walker has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

UNSEEN, HEATING, COOLING = range(3)  # a walker that has not yet been at the last place; on its way to the first place; on its way back

LogRatio = Callable[[int, Tensor], Tensor]
"""(first, place) -> log of the ratio of the joint's densities after and before the swaps of places first and first + 1, first + 2 and
first + 3, ..., where replica r's state comes from place[r]: (pairs, chains)."""


class Walkers(NamedTuple):
    """Who bears the states of each place, (replicas, chains) each.

    `identity`: the place that the walker now at this place began at. `heading`: whether it has not yet been at the last place (0), is on
    its way from there to the first (1) or on its way back (2). `round_trips`: how often it has come back to the last place from the first.
    """

    identity: Tensor
    heading: Tensor
    round_trips: Tensor


def beginning(replicas: int, chains: int, device: torch.device) -> Walkers:
    """Each walker at its own place."""
    identity = torch.arange(replicas, device=device)[:, None].repeat(1, chains)
    heading = torch.where(identity == replicas - 1, HEATING, UNSEEN)
    return Walkers(identity, heading, torch.zeros_like(identity))


def swaps(replicas: int, chance: Tensor, log_ratio: LogRatio) -> tuple[Tensor, Tensor, Tensor]:
    """Swaps of the even neighbours, then of the odd ones, each with probability min(1, exp(log ratio)).

    `chance`: uniform numbers, (replicas - 1, chains). Gives where each place's state comes from, (replicas, chains), and of each pair the
    probability of its swap and whether it was made, (replicas - 1, chains).
    """
    chance = chance.clamp_min(torch.finfo(chance.dtype).eps / 4)  # half a step of it: zero would let the most improbable swap pass
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
    """The walkers after the swaps that `place`, (replicas, chains), tells of."""
    identity, heading, trips = (field.gather(0, place) for field in walkers)
    trips[-1] += heading[-1] == COOLING
    heading[-1] = HEATING
    heading[0] = torch.where(heading[0] == HEATING, COOLING, heading[0])
    return Walkers(identity, heading, trips)


def taken(states: Tensor, place: Tensor) -> Tensor:
    """The states, (replicas, chains, *shape), each from the replica that `place`, (replicas, chains), names."""
    return states[place, torch.arange(place.shape[1], device=place.device)]

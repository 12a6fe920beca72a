"""Parallel tempering of an RBM: replica exchange between inverse temperatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.sampling.exchange import Walkers, beginning, followed, swaps, taken
from harmonium.units import Given
from harmonium.units.unit import no_joint


@dataclass(frozen=True)
class TemperingState:
    """Chains, each a ladder of replicas. Replica r is at inverse temperature betas[r] and leaves exp(-E_r(v, h)) / Z_r as it is, with

        E_β(v, h) = visible.energy(v) + hidden.energy(h) - β <s(v), coupling, s(h)>

    so that the coldest, the last, is the machine itself. What a context adds to the biases is part of the interaction and is scaled too;
    so are the hidden biases that a document's length scales.

    A swap exchanges the states of two replicas; who bears them is a walker. `v`: (replicas, chains, *visible.shape). `betas`: (replicas,)
    float64, increasing to 1. `identity`: (replicas, chains), the place that the walker now at this place began at. `heading`: (replicas,
    chains), whether this walker has not yet been at β = 1 (0), is on its way from there to the hottest place (1) or on its way back (2).
    `round_trips`: (replicas, chains), how often it has come back to β = 1 from the hottest place. `given`: of each chain, fields of
    (chains, ...), the same for all its replicas.
    """

    v: Tensor
    betas: Tensor
    identity: Tensor
    heading: Tensor
    round_trips: Tensor
    given: Given | None = None


class TemperingInfo(NamedTuple):
    """The hidden states that belong to the new visible ones, (replicas, chains, *hidden.shape), and of each neighbouring pair, the hottest
    first, the probability with which its swap was accepted and whether it was: (replicas - 1, chains) each."""

    h: Tensor
    acceptance: Tensor
    swapped: Tensor


def ladder(betas: int | Sequence[float] | Tensor) -> Tensor:
    """Inverse temperatures, (replicas,) float64: evenly from 0 to 1 where their number is given. ValueError unless they increase to 1."""
    found = torch.linspace(0, 1, max(betas, 0), dtype=torch.float64) if isinstance(betas, int) else torch.as_tensor(betas).double()
    if found.dim() != 1 or len(found) < 2 or found[0] < 0 or found[-1] != 1 or not bool((found.diff() > 0).all()):
        raise ValueError(f"tempering takes at least two inverse temperatures that increase from 0 or more to 1, found {found.tolist()}")
    return found


def from_states(v: Tensor, betas: int | Sequence[float] | Tensor, given: Given | None = None) -> TemperingState:
    """The state whose replicas stand at v, (replicas, chains, *visible.shape), each at its own place."""
    path = ladder(betas).to(v.device)
    if len(v) != len(path):
        raise ValueError(f"expected one set of states for each of the {len(path)} inverse temperatures, found {len(v)}")
    return TemperingState(v, path, *beginning(len(path), v.shape[1], v.device), given)


@torch.no_grad()
def init(
    model: RBM,
    chains: int,
    betas: int | Sequence[float] | Tensor = 11,
    *,
    generator: torch.Generator,
    given: Given | None = None,
) -> TemperingState:
    """Replicas that all begin at draws from the visible units' own biases, which at β = 0 are exact.

    `betas`: increasing to 1, from 0 where the hottest replica shall forget everything at each step; or how many, evenly spaced.
    `given`: fields of (chains, ...). TypeError for units that are no conditional of any joint energy.
    """
    for unit in (model.visible, model.hidden):
        if not unit.has_joint_energy:
            raise no_joint(unit, "a tempered distribution")
    path = ladder(betas)
    blank = model.visible.zero_input(len(path), chains)
    return from_states(model.visible.sample(blank, generator=generator, given=_of_replicas(given, len(path))), path, given)


@torch.no_grad()
def step(model: RBM, state: TemperingState, *, generator: torch.Generator) -> tuple[TemperingState, TemperingInfo]:
    """One sweep of every replica at its own temperature, all in one pass, then swaps: the even neighbours, then the odd ones.

    Whole states (v, h) of neighbours i and j are exchanged with probability min(1, exp((β_i - β_j)(I_j - I_i))), I their interactions,
    positive where they lower the energy: what the layers' own energies add is the same at all temperatures. It leaves the joint
    distribution of the replicas, a product, as it is (Desjardins et al. 2010; Cho, Raiko & Ilin 2010, whose energies are scaled as a
    whole). With `given.missing` none but the missing values are drawn and exchanged.
    """
    visible, hidden, coupling, betas = model.visible, model.hidden, model.coupling, state.betas
    given = _of_replicas(state.given, len(betas))
    s_v = visible.statistic(state.v, given)
    h = hidden.sample(_scaled(coupling.to_hidden(s_v, given), betas), generator=generator)
    s_h = hidden.statistic(h)
    v = visible.sample(_scaled(coupling.to_visible(s_h, given), betas), generator=generator, given=given)
    if given is not None and given.missing is not None:
        v = torch.where(given.missing.bool(), v, state.v)
    interaction = coupling.interaction(visible.statistic(v, given), s_h, given)

    def log_ratio(first: int, place: Tensor) -> Tensor:
        gain = interaction.gather(0, place[1:][first::2]) - interaction.gather(0, place[:-1][first::2])
        return (betas[:-1] - betas[1:])[first::2, None].to(gain) * gain

    chance = torch.rand(interaction[1:].shape, generator=generator, dtype=interaction.dtype, device=interaction.device)
    place, acceptance, swapped = swaps(len(betas), chance, log_ratio)
    walkers = followed(Walkers(state.identity, state.heading, state.round_trips), place)
    after = replace(state, v=taken(v, place), **walkers._asdict())
    return after, TemperingInfo(taken(h, place), acceptance, swapped)


def adapt(betas: Tensor, rates: Tensor, *, target: float | None = None, replicas: int | None = None) -> Tensor:
    """Inverse temperatures under which all neighbours swap about equally often: (replicas,) float64, with the same ends.

    `rates`: (replicas - 1,), the mean acceptance of each pair, measured at `betas`. The rejections add up along the ladder to a barrier
    that hardly depends on how it is cut (Syed et al. 2022); its linear interpolation is cut into equal pieces. `target`: the rate wanted,
    which sets the number of replicas; or `replicas`, this number itself; by default it stays. Where pairs are rejected nearly always the
    barrier is found too low, and a second measurement at the new temperatures betters it.
    """
    betas, rates = ladder(betas), rates.detach().to("cpu", torch.float64)
    if rates.shape != (len(betas) - 1,) or not bool(((rates >= 0) & (rates <= 1)).all()):
        raise ValueError(f"expected one rate between 0 and 1 for each of the {len(betas) - 1} pairs, found {rates.tolist()}")
    if target is not None and not 0 < target < 1:
        raise ValueError(f"the swap rate wanted lies between 0 and 1, found {target}")
    if replicas is not None and (replicas < 2 or target is not None):
        raise ValueError(f"expected at least two replicas, or a swap rate wanted instead, found {replicas=} and {target=}")
    betas = betas.cpu()
    rejection = (1 - rates).clamp_min(1e-6)  # so that temperatures between which nothing is rejected keep an order
    barrier = torch.cat([rejection.new_zeros(1), rejection.cumsum(0)])
    pairs = len(rates) if replicas is None else replicas - 1
    if target is not None:
        pairs = max(1, math.ceil(barrier[-1].item() / (1 - target) - 1e-9))
    wanted = torch.linspace(0, barrier[-1].item(), pairs + 1, dtype=torch.float64)
    right = torch.searchsorted(barrier, wanted).clamp(1, len(barrier) - 1)
    share = (wanted - barrier[right - 1]) / rejection[right - 1]
    found = betas[right - 1] + share * (betas[right] - betas[right - 1])
    found[0], found[-1] = betas[0], betas[-1]
    return found


def _of_replicas(given: Given | None, replicas: int) -> Given | None:
    return None if given is None else given.map(lambda field: field.expand(replicas, *field.shape))


def _scaled(input: Tensor, betas: Tensor) -> Tensor:
    """The input of each replica, (replicas, ...), times its own β."""
    return input * betas.to(input).reshape(-1, *[1] * (input.dim() - 1))

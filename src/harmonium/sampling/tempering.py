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
from harmonium.units import NOTHING, Given
from harmonium.units.checks import no_joint


@dataclass(frozen=True)
class TemperingState:
    """Chains, each a ladder of replicas at inverse temperatures β.

    A swap exchanges the states of two replicas. A walker is what carries a state from place to place.

    Attributes
    ----------
    v : Tensor
        (replicas, chains, *visible.shape), the visible states. The last replica is at β = 1 and samples the machine itself.
    betas : Tensor
        (replicas,) float64, inverse temperatures that increase to 1.
    identity : Tensor
        (replicas, chains), the place where the walker that is now here started.
    heading : Tensor
        (replicas, chains). 0: the walker has not yet been at β = 1. 1: it is on its way from β = 1 to the hottest place. 2: it is on its
        way back.
    round_trips : Tensor
        (replicas, chains), the number of times that the walker has returned to β = 1 from the hottest place.
    given : Given
        Side information about each chain, fields of (chains, ...). All its replicas share it.

    Notes
    -----
    Replica r leaves exp(-E_r(v, h)) / Z_r invariant, with β = betas[r] in

        E_β(v, h) = visible.energy(v) + hidden.energy(h) - β <s(v), coupling, s(h)>

    A context's contribution to the biases is part of the interaction, so β scales it too. The same holds for hidden biases that a
    document's length scales.
    """

    v: Tensor
    betas: Tensor
    identity: Tensor
    heading: Tensor
    round_trips: Tensor
    given: Given = NOTHING


class TemperingInfo(NamedTuple):
    """What one step drew, and which swaps it made. Pairs are in the order of the ladder, the hottest first.

    Attributes
    ----------
    h : Tensor
        (replicas, chains, *hidden.shape), the hidden states that belong to the new visible states.
    acceptance : Tensor
        (replicas - 1, chains), the acceptance probability of each pair's swap.
    swapped : Tensor
        (replicas - 1, chains), whether the swap was made.
    """

    h: Tensor
    acceptance: Tensor
    swapped: Tensor


def ladder(betas: int | Sequence[float] | Tensor) -> Tensor:
    """Inverse temperatures as a tensor, (replicas,) float64. An integer gives that many, evenly spaced from 0 to 1.

    Raises
    ------
    ValueError
        Unless they increase from 0 or more to 1, and there are at least two.
    """
    found = torch.linspace(0, 1, max(betas, 0), dtype=torch.float64) if isinstance(betas, int) else torch.as_tensor(betas).double()
    if found.dim() != 1 or len(found) < 2 or found[0] < 0 or found[-1] != 1 or not bool((found.diff() > 0).all()):
        raise ValueError(f"tempering takes at least two inverse temperatures that increase from 0 or more to 1, found {found.tolist()}")
    return found


def from_states(v: Tensor, betas: int | Sequence[float] | Tensor, given: Given = NOTHING) -> TemperingState:
    """The state whose replicas stand at given visible states, each walker at its own place.

    Parameters
    ----------
    v : Tensor
        (replicas, chains, *visible.shape).
    betas : int, sequence of float or Tensor
        As for `init`.
    given : Given, optional
        Side information about each chain, fields of (chains, ...).

    Returns
    -------
    TemperingState
        The chains.

    Raises
    ------
    ValueError
        Unless there is one set of states per inverse temperature.
    """
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
    given: Given = NOTHING,
) -> TemperingState:
    """Replicas that all start at draws from the visible units' own biases, which are exact at β = 0.

    Parameters
    ----------
    model : RBM
        The machine.
    chains : int
        Number of chains.
    betas : int, sequence of float or Tensor, default 11
        Inverse temperatures that increase to 1, or their number for an even spacing from 0. A first value of 0 lets the hottest replica
        draw an independent state at each step.
    generator : torch.Generator
        The source of all draws.
    given : Given, optional
        Side information about each chain, fields of (chains, ...).

    Returns
    -------
    TemperingState
        The chains.

    Raises
    ------
    ValueError
        Unless the inverse temperatures increase to 1.
    TypeError
        For units whose conditional distribution belongs to no joint energy.
    """
    for unit in (model.visible, model.hidden):
        if not unit.has_joint_energy:
            raise no_joint(unit, "a tempered distribution")
    path = ladder(betas)
    blank = model.visible.zero_input(len(path), chains)
    return from_states(model.visible.sample(blank, generator=generator, given=_of_replicas(given, len(path))), path, given)


@torch.no_grad()
def step(model: RBM, state: TemperingState, *, generator: torch.Generator) -> tuple[TemperingState, TemperingInfo]:
    """One Gibbs sweep of every replica at its own temperature, then swaps of the even pairs, then of the odd pairs.

    Parameters
    ----------
    model : RBM
        The machine.
    state : TemperingState
        The chains.
    generator : torch.Generator
        The source of all draws.

    Returns
    -------
    state : TemperingState
        The chains after the swaps.
    info : TemperingInfo
        The hidden states, and which swaps were made.

    Notes
    -----
    Neighbours i and j exchange their whole states (v, h) with probability

        min(1, exp((β_i - β_j) (I_j - I_i)))

    Here I is the interaction, positive where it lowers the energy. The layers' own energies are the same at all temperatures and cancel.
    The step leaves the joint distribution of the replicas, a product, invariant (Desjardins et al. 2010; Cho, Raiko & Ilin 2010, who scale
    the whole energy). With `given.missing` the missing values alone are redrawn and exchanged.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.sampling.tempering.init(rbm, 5, betas=4, generator=generator)
    >>> for _ in range(10):
    ...     state, info = hm.sampling.tempering.step(rbm, state, generator=generator)
    >>> tuple(state.v[-1].shape), tuple(info.acceptance.shape)  # samples of the machine, and swap rates
    ((5, 6), (3, 5))
    """
    visible, hidden, coupling, betas = model.visible, model.hidden, model.coupling, state.betas
    given = _of_replicas(state.given, len(betas))
    s_v = visible.statistic(state.v, given)
    h = hidden.sample(_scaled(coupling.to_hidden(s_v, given), betas), generator=generator)
    s_h = hidden.statistic(h)
    v = visible.sample(_scaled(coupling.to_visible(s_h, given), betas), generator=generator, given=given)
    if given.missing is not None:
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
    """New inverse temperatures at which all neighbours swap about equally often.

    Parameters
    ----------
    betas : Tensor
        (replicas,), the present inverse temperatures.
    rates : Tensor
        (replicas - 1,), the mean acceptance of each pair, measured at `betas`.
    target : float, optional
        The wanted swap rate. It sets the number of replicas.
    replicas : int, optional
        The wanted number of replicas. By default the number does not change.

    Returns
    -------
    Tensor
        (replicas,) float64, with the same ends as `betas`.

    Raises
    ------
    ValueError
        Unless there is one rate per pair, and at most one of `target` and `replicas`.

    Notes
    -----
    The rejection rates add up along the ladder to a barrier that hardly depends on the choice of temperatures (Syed et al. 2022). Its
    linear interpolation is cut into equal pieces. Where pairs are nearly always rejected, the barrier is underestimated. A second
    measurement at the new temperatures improves it.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hm.sampling.tempering.adapt(torch.tensor([0, 0.5, 1.0]), torch.tensor([0.9, 0.3]))
    tensor([0.0000, 0.7143, 1.0000], dtype=torch.float64)
    """
    betas, rates = ladder(betas), rates.detach().to("cpu", torch.float64)
    if rates.shape != (len(betas) - 1,) or not bool(((rates >= 0) & (rates <= 1)).all()):
        raise ValueError(f"expected one rate between 0 and 1 for each of the {len(betas) - 1} pairs, found {rates.tolist()}")
    if target is not None and not 0 < target < 1:
        raise ValueError(f"the wanted swap rate must lie between 0 and 1, found {target}")
    if replicas is not None and (replicas < 2 or target is not None):
        raise ValueError(f"expected at least two replicas, or a wanted swap rate instead, found {replicas=} and {target=}")
    betas = betas.cpu()
    rejection = (1 - rates).clamp_min(1e-6)  # keeps the barrier increasing where nothing is rejected
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


def _of_replicas(given: Given, replicas: int) -> Given:
    return given.expand(replicas)


def _scaled(input: Tensor, betas: Tensor) -> Tensor:
    """The input of each replica, (replicas, ...), times its own β."""
    return input * betas.to(input).reshape(-1, *[1] * (input.dim() - 1))

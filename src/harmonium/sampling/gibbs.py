"""Block Gibbs sampling of an RBM."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.units import NOTHING, Given


class GibbsState(NamedTuple):
    """Visible states of chains.

    Attributes
    ----------
    v : Tensor
        (chains, *visible.shape), the visible states.
    given : Given
        Side information about each chain.
    """

    v: Tensor
    given: Given = NOTHING


class GibbsInfo(NamedTuple):
    """What one sweep drew on the way.

    Attributes
    ----------
    h : Tensor
        (chains, *hidden.shape), the hidden states from which the new visible states were drawn.
    visible_mean : Tensor
        (chains, *visible.shape), E[v | h].
    """

    h: Tensor
    visible_mean: Tensor


@torch.no_grad()
def init(model: RBM, chains: int, *, generator: torch.Generator, given: Given = NOTHING) -> GibbsState:
    """Independent chains, drawn from the visible units' own biases.

    Parameters
    ----------
    model : RBM
        The machine.
    chains : int
        Number of chains.
    generator : torch.Generator
        The source of all draws.
    given : Given, optional
        Side information about each chain.

    Returns
    -------
    GibbsState
        The chains.
    """
    return GibbsState(model.visible.sample(model.visible.zero_input(chains), generator=generator, given=given), given)


@torch.no_grad()
def step(model: RBM, state: GibbsState, *, generator: torch.Generator) -> tuple[GibbsState, GibbsInfo]:
    """One sweep: all hidden units given the visible ones, then all visible units given the hidden ones.

    With `given.missing` the missing visible units alone are redrawn.

    Parameters
    ----------
    model : RBM
        The machine.
    state : GibbsState
        The chains.
    generator : torch.Generator
        The source of all draws.

    Returns
    -------
    state : GibbsState
        The chains after the sweep.
    info : GibbsInfo
        The hidden states, and the means of the visible ones.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.sampling.gibbs.init(rbm, 3, generator=generator)
    >>> state, info = hm.sampling.gibbs.step(rbm, state, generator=generator)
    >>> tuple(state.v.shape), tuple(info.h.shape)
    ((3, 6), (3, 4))
    """
    v, given = state
    h = model.sample_hidden(v, generator=generator, given=given)
    input = model.visible_input(h, given)
    mean = model.visible.mean(input, given)
    drawn = model.visible.sample(input, generator=generator, given=given, mean=mean)
    if given.missing is not None:
        drawn = torch.where(given.missing.bool(), drawn, v)
    return GibbsState(drawn, given), GibbsInfo(h, mean)

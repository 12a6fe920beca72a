"""Block Gibbs sampling of an RBM: the plain Markov chain."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.units import Given


class GibbsState(NamedTuple):
    """Chains of visible states, (chains, *visible.shape), and what is given of each."""

    v: Tensor
    given: Given | None = None


class GibbsInfo(NamedTuple):
    """The hidden states h that led to the new visible ones, (chains, *hidden.shape), and E[v | h], (chains, *visible.shape)."""

    h: Tensor
    visible_mean: Tensor


@torch.no_grad()
def init(model: RBM, chains: int, *, generator: torch.Generator, given: Given | None = None) -> GibbsState:
    """Independent chains, drawn from the visible units' own biases."""
    return GibbsState(model.visible.sample(model.visible.zero_input(chains), generator=generator, given=given), given)


@torch.no_grad()
def step(model: RBM, state: GibbsState, *, generator: torch.Generator) -> tuple[GibbsState, GibbsInfo]:
    """One sweep: all hidden units given the visible ones, then all visible units given the hidden ones; or where `given.missing`
    says which values are, these alone."""
    v, given = state
    h = model.sample_hidden(v, generator=generator, given=given)
    input = model.visible_input(h, given)
    mean = model.visible.mean(input, given)
    drawn = model.visible.sample(input, generator=generator, given=given, mean=mean)
    if given is not None and given.missing is not None:
        drawn = torch.where(given.missing.bool(), drawn, v)
    return GibbsState(drawn, given), GibbsInfo(h, mean)

"""Completion: what was seen stays clamped, what is missing is drawn from the model."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.sampling.gaps import check_mask, fill
from harmonium.sampling.gibbs import GibbsInfo, GibbsState, step
from harmonium.units import Given

__all__ = ["Completion", "GibbsInfo", "GibbsState", "complete", "draw_missing", "init", "step"]


class Completion(NamedTuple):
    """Whole states, and the estimate of E[v | what was seen], which is v itself where it was seen: (*leading, *visible.shape) each."""

    v: Tensor
    mean: Tensor


@torch.no_grad()
def init(model: RBM, v: Tensor, missing: Tensor, *, generator: torch.Generator, given: Given | None = None) -> GibbsState:
    """Chains that keep what was seen and begin elsewhere at draws from the visible units' own biases.

    `v`, `missing`: (*leading, *visible.shape), the mask true where a value was not seen; NaN may stand there. `step` is that of Gibbs
    sampling, which draws none but the missing values.
    """
    given, missing = replace(given or Given(), missing=missing), missing.bool()
    start = model.visible.sample(model.visible.blank(*v.shape[: v.dim() - len(model.visible.shape)]), generator=generator, given=given)
    return GibbsState(torch.where(missing, start, v), given)


@torch.no_grad()
def complete(
    model: RBM,
    v: Tensor,
    missing: Tensor,
    *,
    steps: int,
    generator: torch.Generator,
    average: int | None = None,
    given: Given | None = None,
) -> Completion:
    """Draws the missing values from p(v_missing | v_seen) by clamped Gibbs sampling: all hidden units, then the missing visible ones.

    `v`: (*leading, *visible.shape), where missing anything, NaN included; `missing`: a mask that broadcasts to it. `steps`: sweeps from a
    start at the biases' own draws, after which the states are nearly exact draws where the chain mixes. The mean is that of
    E[v_missing | h] over the last `average` sweeps (by default the later half), which estimates E[v_missing | v_seen] with less noise
    than the draws do. ValueError for values outside the visible units' support, or a mask that does not fit.
    """
    average = (steps + 1) // 2 if average is None else average
    if not 1 <= average <= steps:
        raise ValueError(f"completion takes at least one sweep and averages over no more than there are, found {steps=} and {average=}")
    like = model.visible.blank()
    check_mask(model.visible, missing, "missing")
    missing = missing.to(like.device).bool().expand(v.shape)
    v = fill(model.visible, v.to(like.device), missing)
    model.visible.check(v)
    state = init(model, model.visible.from_data(v, like), missing, generator=generator, given=given)
    total = torch.zeros_like(state.v)
    for sweep in range(steps):
        state, info = step(model, state, generator=generator)
        if sweep >= steps - average:
            total += info.visible_mean
    return Completion(state.v, torch.where(missing, total / average, state.v))


@torch.no_grad()
def draw_missing(model: RBM, v: Tensor, given: Given | None, *, steps: int, generator: torch.Generator) -> tuple[Tensor, Given | None]:
    """Whole states, the missing values drawn by `steps` clamped sweeps, and what else is given; states without such gaps as they are."""
    if given is None or given.missing is None:
        return v, given
    state, whole = init(model, v, given.missing, generator=generator, given=given), given.whole()
    return model.gibbs(state.v, steps=steps, generator=generator, given=state.given), whole

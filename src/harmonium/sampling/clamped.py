"""Completion: what was seen stays clamped, what is missing is drawn from the model."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models import DBN, RBM, Generative
from harmonium.sampling.gaps import check_mask, fill, folded
from harmonium.sampling.gibbs import GibbsInfo, GibbsState, step
from harmonium.units import Given

__all__ = ["Completion", "GibbsInfo", "GibbsState", "complete", "draw_missing", "init", "step"]


class Completion(NamedTuple):
    """Whole states, and the estimate of E[v | what was seen], which is v itself where it was seen: of the shape of the data each."""

    v: Tensor
    mean: Tensor


@torch.no_grad()
def init(model: RBM, v: Tensor, missing: Tensor, *, generator: torch.Generator, given: Given | None = None) -> GibbsState:
    """Chains that keep what was seen and begin elsewhere at draws from the visible units' own biases.

    `v`, `missing`: (*leading, *visible.shape), the mask true where a value was not seen; NaN may stand there. `step` is that of Gibbs
    sampling, which draws none but the missing values.
    """
    given, missing = replace(given or Given(), missing=missing), missing.bool()
    start = model.visible.sample(model.visible.zero_input(*v.shape[: v.dim() - len(model.visible.shape)]), generator=generator, given=given)
    return GibbsState(torch.where(missing, start, v), given)


@torch.no_grad()
def complete(
    model: Generative,
    v: Tensor,
    missing: Tensor,
    *,
    steps: int,
    generator: torch.Generator,
    average: int | None = None,
    sweeps: int = 10,
    labels: Tensor | None = None,
    given: Given | None = None,
) -> Completion:
    """Draws the missing values from p(v_missing | v_seen) by clamped Gibbs sampling: all hidden units, then the missing visible ones.

    `v`: (*leading, *visible.shape), where missing anything, NaN included; `missing`: a mask that broadcasts to it. Both may come in
    another shape of as many units, such as (cases, 28, 28) and (28, 28) for a layer of 784; the result has that of `v`. `steps`: sweeps
    from a start at the biases' own draws, after which the states are nearly exact draws where the chain mixes. The mean is that of
    E[v_missing | h] over the last `average` sweeps (by default the later half), which estimates E[v_missing | v_seen] with less noise
    than the draws do.

    Of a deep belief net a step is a stochastic up-pass of the present states, `sweeps` sweeps of Gibbs sampling in the top RBM, and a
    stochastic down-pass, of which the missing values are kept. Below a directed layer this is approximate, however many steps: the
    up-pass is no exact posterior, and the top RBM moves on from what was seen. A net of one RBM and a deep Boltzmann machine, whose hidden
    layers are drawn too, are exact. `labels`: (cases,) integers of a
    net with label units, clamped; by default these are free, and beside the data they are no part of `v`.

    ValueError for values outside the visible units' support, or a mask that does not fit.
    """
    average = (steps + 1) // 2 if average is None else average
    if not 1 <= average <= steps:
        raise ValueError(f"completion takes at least one sweep and averages over no more than there are, found {steps=} and {average=}")
    visible, like, shape = model.visible, model.visible.zero_input(), v.shape
    v, missing = folded(visible, v), folded(visible, missing)
    check_mask(visible, missing, "missing")
    missing = missing.to(like.device).bool().expand(v.shape)
    v = fill(visible, v.to(like.device), missing)
    visible.check(v)
    v = visible.from_data(v, like)
    if isinstance(model, DBN) and len(model.generative):
        found = _complete_net(model, v, missing, steps, generator, average, sweeps, labels, given)
    else:
        states, mask, side = model.to_machine(v, missing, labels, given)
        found = _complete(model.machine, states, mask, steps, generator, average, side)
        found = Completion(model.part(found.v), model.part(found.mean))
    return Completion(found.v.reshape(shape), found.mean.reshape(shape))


def _complete(
    model: RBM, v: Tensor, missing: Tensor, steps: int, generator: torch.Generator, average: int, given: Given | None
) -> Completion:
    state = init(model, v, missing, generator=generator, given=given)
    total = torch.zeros_like(state.v)
    for sweep in range(steps):
        state, info = step(model, state, generator=generator)
        if sweep >= steps - average:
            total += info.visible_mean
    return Completion(state.v, torch.where(missing, total / average, state.v))


def _complete_net(
    dbn: DBN,
    v: Tensor,
    missing: Tensor,
    steps: int,
    generator: torch.Generator,
    average: int,
    sweeps: int,
    labels: Tensor | None,
    given: Given | None,
) -> Completion:
    *middle, lowest = dbn.downwards()
    visible, axes = dbn.visible, len(dbn.visible.shape)
    leading = v.shape[: v.dim() - axes]
    v, missing = v.reshape(-1, *visible.shape), missing.reshape(-1, *visible.shape)
    given = None if given is None else given.whole()
    v = torch.where(missing, visible.sample(visible.zero_input(len(v)), generator=generator, given=given), v)
    total = torch.zeros_like(v)
    for number in range(steps):
        states, side = dbn.initial_states(len(v), generator=generator, start=v, labels=labels, given=given)
        h = dbn.part(dbn.top.gibbs(states, steps=sweeps, generator=generator, given=side))
        for layer in middle:
            h = layer(h, generator, dbn.machine_given(given))
        input = lowest.input(lowest.neighbour.from_output(h, generator), given)
        mean = visible.mean(input, given)
        v = torch.where(missing, visible.sample(input, generator=generator, given=given, mean=mean), v)
        if number >= steps - average:
            total += mean
    found = v, torch.where(missing, total / average, v)
    return Completion(*(each.reshape(*leading, *visible.shape) for each in found))


@torch.no_grad()
def draw_missing(model: RBM, v: Tensor, given: Given | None, *, steps: int, generator: torch.Generator) -> tuple[Tensor, Given | None]:
    """Whole states, the missing values drawn by `steps` clamped sweeps, and what else is given; states without such gaps as they are."""
    if given is None or given.missing is None:
        return v, given
    state, whole = init(model, v, given.missing, generator=generator, given=given), given.whole()
    return model.gibbs(state.v, steps=steps, generator=generator, given=state.given), whole

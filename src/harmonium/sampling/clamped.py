"""Completion: observed values stay clamped, and missing values are drawn from the model."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.models import DBN, RBM, Generative
from harmonium.sampling.gaps import check_mask, fill, folded
from harmonium.sampling.gibbs import GibbsInfo, GibbsState, step
from harmonium.units import NOTHING, Given

__all__ = ["Completion", "GibbsInfo", "GibbsState", "complete", "draw_missing", "init", "step"]


class Completion(NamedTuple):
    """Completed data, and the estimated mean of the missing values.

    Attributes
    ----------
    v : Tensor
        Of the data's shape: the observed values, with a draw in every gap.
    mean : Tensor
        Of the data's shape: an estimate of E[v | observed values]. It is `v` itself where a value was observed.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    >>> missing = torch.tensor([False, False, True, True])
    >>> found = hm.sampling.complete(rbm, torch.ones(1, 4), missing, steps=4, generator=torch.Generator().manual_seed(0))
    >>> found.mean[:, :2]
    tensor([[1., 1.]])
    """

    v: Tensor
    mean: Tensor


@torch.no_grad()
def init(model: RBM, v: Tensor, missing: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> GibbsState:
    """Chains that keep the observed values and start the missing ones at draws from the visible biases.

    `step` is that of Gibbs sampling. It redraws the missing values alone.

    Parameters
    ----------
    model : RBM
        The machine.
    v : Tensor
        (*leading, *visible.shape), the data. NaN may stand where a value is missing.
    missing : Tensor
        (*leading, *visible.shape), true where a value is missing.
    generator : torch.Generator
        The source of all draws.
    given : Given, optional
        Side information about each case.

    Returns
    -------
    GibbsState
        The chains, with the mask in their `given`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    >>> missing = torch.tensor([[False, False, True, True]])
    >>> state = hm.sampling.clamped.init(rbm, torch.ones(1, 4), missing, generator=generator)
    >>> state, info = hm.sampling.clamped.step(rbm, state, generator=generator)
    >>> state.v[:, :2]
    tensor([[1., 1.]])
    """
    given, missing = replace(given, missing=missing), missing.bool()
    start = model.visible.sample(model.visible.zero_input(*v.shape[: v.dim() - len(model.visible.shape)]), generator=generator, given=given)
    return GibbsState(torch.where(missing, start, v), given)


@torch.no_grad()
def complete(
    model: Generative,
    v: Tensor,
    missing: Tensor | None = None,
    *,
    steps: int,
    generator: torch.Generator,
    average: int | None = None,
    sweeps: int = 10,
    labels: Tensor | None = None,
    given: Given = NOTHING,
) -> Completion:
    """Draws missing values from p(v_missing | v_observed) by clamped Gibbs sampling.

    A sweep draws all hidden units, then the missing visible ones. The chain starts at draws from the visible biases. If it mixes, the
    states are nearly exact draws after `steps` sweeps.

    Parameters
    ----------
    model : Generative
        An `RBM`, a `DBN` or a `DBM`.
    v : Tensor
        (*leading, *visible.shape), the data. Any value may stand where one is missing, NaN included. Another shape with as many units is
        accepted, such as (cases, 28, 28) for a layer of 784 units.
    missing : Tensor, optional
        A mask that broadcasts to `v`, true where a value is missing; by default where `v` is NaN. It may have another shape with as many
        units, such as (28, 28).
    steps : int
        Number of sweeps.
    generator : torch.Generator
        The source of all draws.
    average : int, optional
        The mean is E[v_missing | h] averaged over the last `average` sweeps. The default is the later half of them. This estimate of
        E[v_missing | v_observed] has less noise than an average of draws.
    sweeps : int, default 10
        For a deep belief net, the number of Gibbs sweeps in the top RBM per step.
    labels : Tensor, optional
        (cases,) integers, the clamped labels of a net with label units. By default the label units are free. Labels are not part of `v`.
    given : Given, optional
        Side information about each case.

    Returns
    -------
    Completion
        Completed data and their mean, both of the shape of `v`.

    Raises
    ------
    ValueError
        If a value lies outside the visible units' support, if the mask does not fit, or if `average` is not between 1 and `steps`.

    Notes
    -----
    For an RBM, a deep Boltzmann machine and a net of one RBM, the chain's stationary distribution is exact. All hidden layers of a deep
    Boltzmann machine are drawn too.

    For a deeper belief net, a step is a stochastic up-pass of the present states, `sweeps` Gibbs sweeps in the top RBM, and a stochastic
    down-pass, from which the missing values are kept. This is approximate for any number of steps: the up-pass is not the exact posterior,
    and the top RBM moves away from the observed values.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    >>> v = torch.tensor([[1.0, 0.0, float("nan"), float("nan")]])
    >>> found = hm.sampling.complete(rbm, v, v.isnan(), steps=20, generator=torch.Generator().manual_seed(0))
    >>> found.v[:, :2]
    tensor([[1., 0.]])
    >>> bool(((found.mean > 0) & (found.mean < 1))[0, 2:].all())
    True
    """
    average = (steps + 1) // 2 if average is None else average
    if not 1 <= average <= steps:
        raise ValueError(f"completion takes at least one sweep, and averages over at most all of them, found {steps=} and {average=}")
    v = as_tensor(v)
    missing = v.isnan() if missing is None else as_tensor(missing)
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


def _complete(model: RBM, v: Tensor, missing: Tensor, steps: int, generator: torch.Generator, average: int, given: Given) -> Completion:
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
    given: Given,
) -> Completion:
    *middle, lowest = dbn.downwards()
    visible, axes = dbn.visible, len(dbn.visible.shape)
    leading = v.shape[: v.dim() - axes]
    v, missing = v.reshape(-1, *visible.shape), missing.reshape(-1, *visible.shape)
    given = given.whole()
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
def draw_missing(model: RBM, v: Tensor, given: Given, *, steps: int, generator: torch.Generator) -> tuple[Tensor, Given]:
    """Fills missing values by clamped sweeps. States without missing values are returned unchanged.

    Parameters
    ----------
    model : RBM
        The machine.
    v : Tensor
        (*leading, *visible.shape). What stands where a value is missing is not read.
    given : Given
        Side information about each case.
    steps : int
        Number of sweeps.
    generator : torch.Generator
        The source of all draws.

    Returns
    -------
    v : Tensor
        (*leading, *visible.shape), without gaps.
    given : Given
        What else is given.
    """
    if given.missing is None:
        return v, given
    state, whole = init(model, v, given.missing, generator=generator, given=given), given.whole()
    return model.gibbs(state.v, steps=steps, generator=generator, given=state.given), whole

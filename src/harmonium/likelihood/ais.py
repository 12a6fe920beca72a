"""Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.units import Given

BASE_SWEEPS = 50  # of Gibbs sampling for the default base rates: any base is valid, a nearer one wastes fewer betas


@dataclass(frozen=True)
class Estimate:
    """An estimate of log Z, in nats.

    `standard_error`: of log Z, by the delta method from the spread of the weights (it does not know of modes that no chain met).
    `ess`: the effective sample size of the weights, between 1 and the number of chains. `log_weights`: (chains,), float64.
    """

    log_z: float
    standard_error: float
    ess: float
    log_weights: Tensor = field(repr=False)


def estimate(log_weights: Tensor, log_z_base: float) -> Estimate:
    """The estimate that importance weights (chains,) give of log Z, over a base whose log Z is known."""
    chains, top = len(log_weights), log_weights.max()
    weights = torch.exp(log_weights - top)
    mean = weights.mean()
    error = (weights.std() / mean / math.sqrt(chains)).item() if chains > 1 else math.inf
    ess = (weights.sum().square() / weights.square().sum()).item()
    return Estimate(log_z_base + top.item() + math.log(mean.item()), error, ess, log_weights)


def standard_schedule(betas: int) -> Tensor:
    """`betas` inverse temperatures from 0 to 1, (betas,), spaced as in Salakhutdinov & Murray (2008): 500 to 0.5, 4,000 to 0.9 and
    10,000 to 1 of each 14,500."""
    places = torch.linspace(0, 1, betas, dtype=torch.float64)
    knots = [(0.0, 0.0), (500 / 14500, 0.5), (4500 / 14500, 0.9), (1.0, 1.0)]
    path = torch.zeros_like(places)
    for (x0, y0), (x1, y1) in pairwise(knots):
        path = torch.where(places >= x0, y0 + (places - x0) * (y1 - y0) / (x1 - x0), path)
    return path.clamp(0, 1)


@torch.no_grad()
def ais(
    model: RBM,
    *,
    chains: int = 100,
    betas: int | Sequence[float] = 14500,
    seed: int = 0,
    base_rates: Tensor | None = None,
    given: Given | None = None,
) -> Estimate:
    """Estimates log Z by annealing independent chains from a base-rate model to `model`.

    The path scales the coupling's input by β, leaves the hidden biases on, and moves the visible natural parameters from the base's
    to the model's: p*_β(v) = exp(-visible.energy(v) + (1 - β) <s(v), base> + hidden.log_partition(β · input)). Its start is a
    factorial model whose log Z is a sum of log-partitions.

    `betas`: how many inverse temperatures (in the proportions of Salakhutdinov & Murray), or the increasing sequence from 0 to 1
    itself. `base_rates`: the visible means of the base, (*visible.shape), as those of the training data; by default those of a short
    Gibbs run of the model itself. `given`: one case (no leading axes), where Z depends on it: a mask of absent units, a document's
    length, a context. Log-weights are summed in float64. Warns where the effective sample size is below a tenth of the
    chains. ValueError for a schedule that does not go from 0 to 1, or for a machine that has no partition function; TypeError where a
    layer has no energy.
    """
    model.check_normalisable(given)
    path = standard_schedule(max(betas, 0)) if isinstance(betas, int) else torch.tensor(betas, dtype=torch.float64)
    if len(path) < 2 or path[0] != 0 or path[-1] != 1 or not bool((path.diff() > 0).all()):
        ends = f" from {path[0]:g} to {path[-1]:g}" if len(path) else ""
        raise ValueError(f"betas must increase from 0 to 1, found {len(path)} of them{ends}")
    visible, hidden, coupling = model.visible, model.hidden, model.coupling
    blank = visible.blank(chains)
    generator = torch.Generator(blank.device).manual_seed(seed)
    every = None if given is None else given.map(lambda field: field.to(blank.device).expand(chains, *field.shape))
    if base_rates is None:
        v = model.gibbs(visible.sample(blank, generator=generator, given=every), steps=BASE_SWEEPS, generator=generator, given=every)
        base_rates = model.visible_mean(model.hidden_mean(v, every), every).mean(0)
    base = visible.base_input(base_rates.to(blank))
    log_z_base = (visible.log_partition(base.double(), given) + hidden.log_partition(hidden.blank().double())).item()

    v = visible.sample(base.expand_as(blank), generator=generator, given=every)
    log_weights = torch.zeros(chains, dtype=torch.float64, device=blank.device)
    steps = path.tolist()
    for below, beta in pairwise(steps):
        s_v = visible.statistic(v, every)
        input = coupling.to_hidden(s_v, every)
        rise = hidden.log_partition(beta * input) - hidden.log_partition(below * input)
        slope = coupling.visible_alone(s_v, every) - (s_v * base).flatten(1).sum(1)
        log_weights += rise.double() + (beta - below) * slope.double()
        h = hidden.sample(beta * input, generator=generator)
        down = beta * coupling.to_visible(hidden.statistic(h), every) + (1 - beta) * base
        v = visible.sample(down, generator=generator, given=every)
    result = estimate(log_weights.cpu(), log_z_base)
    if result.ess < chains / 10:
        warnings.warn(
            f"annealed importance sampling: the effective sample size is {result.ess:.1f} of {chains} chains, so that log Z is likely "
            f"underestimated (and the likelihood overestimated); use more than the present {len(path)} betas",
            stacklevel=3,  # past the decorator, to the caller
        )
    return result

"""Annealed importance sampling along the models of one training (Béreux, Decelle, Furtlehner et al. 2025)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, estimate, log_mean_exp, schedule, shown, warn_of_few
from harmonium.likelihood.as_states import as_states
from harmonium.likelihood.exact_log_z import BLOCK, listing, log_sum, one_case
from harmonium.models import RBM
from harmonium.sampling.trajectory import check_alike
from harmonium.units import Given

LISTED = 2**20  # states of the first model's smaller side that are listed to sample it exactly


class Rung(NamedTuple):
    """A model whose interaction is scaled by β, as in `hm.sampling.tempering`: β = 1 is the model itself, β = 0 has independent units."""

    model: RBM
    beta: float

    def free_energy(self, v: Tensor, given: Given | None) -> Tensor:
        """-log Σ_h exp(-E_β(v, h)): (chains,), float64."""
        model, beta = self.model, self.beta
        s_v = model.visible.statistic(v, given)
        alone = beta * model.coupling.visible_alone(s_v, given)
        up = model.hidden.log_partition(beta * model.coupling.to_hidden(s_v, given))
        return (model.visible.energy(v, given) - alone - up).double()

    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator, given: Given | None) -> Tensor:
        """v after `steps` sweeps, hidden units first, each of them reversible with respect to p_β(v)."""
        model, beta = self.model, self.beta
        for _ in range(steps):
            h = model.hidden.sample(beta * model.hidden_input(v, given), generator=generator)
            v = model.visible.sample(beta * model.visible_input(h, given), generator=generator, given=given)
        return v


@dataclass(frozen=True)
class Ladder:
    """The distributions from one that is sampled exactly to the last model, log Z of the first, and how it is sampled."""

    rungs: list[Rung]
    log_z: float
    sample: Callable[[int, torch.Generator], Tensor]
    given: Given | None

    def every(self, chains: int) -> Given | None:
        """What is given, for each chain."""
        device = self.rungs[0].model.visible.zero_input().device
        return None if self.given is None else self.given.map(lambda field: field.to(device).expand(chains, *field.shape))


@torch.no_grad()
def trajectory_ais(
    models: Sequence[RBM],
    *,
    chains: int = 100,
    steps: int = 1,
    betas: int | Sequence[float] = 100,
    seed: int = 0,
    given: Given | None = None,
    progress: bool = False,
) -> Estimate:
    """Estimates log Z of the last of `models` by annealing independent chains along all of them, in the order of training.

    The intermediate distributions are the models themselves: with p*_k(v) = exp(-F_k(v)), log w = Σ_k F_{k-1}(v_{k-1}) - F_k(v_{k-1}),
    where v_k comes from v_{k-1} by `steps` Gibbs sweeps of model k. Where a mode appears while learning it grows from nothing, so that the
    chains share themselves out among the modes as these part. The estimate of Z is unbiased, that of log Z low in expectation.

    The start is sampled exactly: the first model, where its coupling is zero (in closed form) or its smaller side has at most 2^20
    states (by listing them); or else the first model's units made independent, whose coupling is then switched on over `betas` (as in
    `ais`), before its successors. So no start is itself an estimate, and the bounds hold in every case; where the first model has the
    small weights of a fresh one, few betas do.

    `models`: as `Trajectory.models()` gives them, of the same layers and coupling. `given`: one case (no leading axes), where Z depends
    on it. `progress`: a bar with the time left, on a terminal. Log-weights are summed in float64. Warns where the effective sample size
    is below a tenth of the chains. ValueError where the models differ in kind or one has no partition function; TypeError where a layer
    has no energy.
    """
    ladder = _ladder(models, betas, given)
    generator = torch.Generator(models[0].visible.zero_input().device).manual_seed(seed)
    v, every = ladder.sample(chains, generator), ladder.every(chains)
    total = torch.zeros(chains, dtype=torch.float64, device=v.device)
    for before, after in shown(list(pairwise(ladder.rungs)), "along the trajectory", progress):
        total += before.free_energy(v, every) - after.free_energy(v, every)
        v = after.gibbs(v, steps, generator, every)
    result = estimate(total.cpu(), ladder.log_z)
    consequence = "log Z is likely underestimated (and the likelihood overestimated)"
    warn_of_few("annealing along the trajectory", result.ess, chains, len(ladder.rungs), consequence, "models and betas, or more steps")
    return result


@torch.no_grad()
def reverse_trajectory_ais(
    models: Sequence[RBM],
    samples: Tensor,
    *,
    steps: int = 1,
    betas: int | Sequence[float] = 100,
    seed: int = 0,
    given: Given | None = None,
    progress: bool = False,
) -> Estimate:
    """Estimates log Z of the last of `models` by annealing from samples of it, (cases, *visible.shape), back to the first, one chain each.

    The path is that of `trajectory_ais`, whose far end is always one of which log Z is known. From independent *exact* samples the mean
    of exp(-log_weights) is Z_start / Z, so that the estimate lies above log Z in expectation, as that of `trajectory_ais` lies below.
    From chains of trajectory tempering, persistent ones or data, nothing is bounded and this is a second estimate; samples that miss a
    mode hide it. `ess` and `standard_error` are of exp(-log_weights).
    """
    ladder = _ladder(models, betas, given)
    v = as_states(models[-1].visible, samples, given)
    generator, every = torch.Generator(v.device).manual_seed(seed), ladder.every(len(v))
    total = torch.zeros(len(v), dtype=torch.float64, device=v.device)
    for after, before in shown(list(pairwise(reversed(ladder.rungs))), "back along the trajectory", progress):
        v = after.gibbs(v, steps, generator, every)
        total += before.free_energy(v, every) - after.free_energy(v, every)
    log_weights = total.cpu()
    value, error, ess = (figure.item() for figure in log_mean_exp(-log_weights))
    consequence = "log Z is likely overestimated even if the samples are exact"
    warn_of_few("annealing back along the trajectory", ess, len(v), len(ladder.rungs), consequence, "models and betas, or more steps")
    return Estimate(ladder.log_z - value, error, ess, log_weights)


def _ladder(models: Sequence[RBM], betas: int | Sequence[float], given: Given | None) -> Ladder:
    """From the nearest distribution to the first model that can be sampled exactly. ValueError, TypeError as above."""
    if not models:
        raise ValueError("a trajectory has at least one model, found none")
    first, path = models[0], schedule(betas)
    given = one_case(first, given)
    check_alike(models, given=given)
    rungs = [Rung(model, 1.0) for model in models]
    factorial = not any(bool(parameter.any()) for parameter in first.coupling.parameters())
    if not factorial and min(first.visible.count, first.hidden.count) <= LISTED:
        return _listed(rungs, given)
    if not factorial:
        rungs = [*(Rung(first, beta) for beta in path), *rungs[1:]]
    visible, hidden = first.visible, first.hidden
    log_z = (visible.log_partition(visible.zero_input().double(), given) + hidden.log_partition(hidden.zero_input().double())).item()

    def sample(chains: int, generator: torch.Generator) -> Tensor:
        return visible.sample(visible.zero_input(chains), generator=generator, given=ladder.every(chains))

    ladder = Ladder(rungs, log_z, sample, given)
    return ladder


def _listed(rungs: list[Rung], given: Given | None) -> Ladder:
    """From the first model itself, whose states are listed: those of one side are drawn from the table."""
    first = rungs[0].model
    side, device = listing(first, given), first.visible.zero_input().device
    assert side is not None

    def sample(chains: int, generator: torch.Generator) -> Tensor:
        blocks = (torch.arange(start, min(start + BLOCK, side.count), device=device) for start in range(0, side.count, BLOCK))
        log_terms = torch.cat([side.log_terms(block).double() for block in blocks])
        heights = (log_terms - log_terms.max()).exp().cumsum(0)
        level = torch.rand(chains, generator=generator, dtype=torch.float64, device=device) * heights[-1]
        states = side.states(torch.searchsorted(heights, level, right=True).clamp(max=side.count - 1))
        if not side.hidden:
            return states
        return first.sample_visible(states.to(first.hidden.zero_input()), generator=generator, given=ladder.every(chains))

    ladder = Ladder(rungs, log_sum(side.count, side.log_terms, device), sample, given)
    return ladder

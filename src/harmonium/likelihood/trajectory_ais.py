"""Annealed importance sampling along the models of one training run (Béreux, Decelle, Furtlehner et al. 2025)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, estimate, log_mean_exp, schedule, warn_of_few
from harmonium.likelihood.as_states import as_states
from harmonium.likelihood.exact_log_z import BLOCK, listing, log_sum, one_case
from harmonium.models import RBM
from harmonium.progress_bar import shown
from harmonium.sampling.trajectory_models import check_alike
from harmonium.units import NOTHING, Given

LISTED = 2**20  # most states of the first model's smaller side that are enumerated to sample it exactly


class Rung(NamedTuple):
    """A model with its interaction scaled by β, as in `hm.sampling.tempering`: β = 1 is the model itself, β = 0 has independent units."""

    model: RBM
    beta: float

    def free_energy(self, v: Tensor, given: Given) -> Tensor:
        """-log Σ_h exp(-E_β(v, h)): (chains,), float64."""
        model, beta = self.model, self.beta
        s_v = model.visible.statistic(v, given)
        alone = beta * model.coupling.visible_alone(s_v, given)
        up = model.hidden.log_partition(beta * model.coupling.to_hidden(s_v, given))
        return (model.visible.energy(v, given) - alone - up).double()

    def gibbs(self, v: Tensor, steps: int, generator: torch.Generator, given: Given) -> Tensor:
        """v after `steps` sweeps, hidden units first. Each sweep is reversible with respect to p_β(v)."""
        model, beta = self.model, self.beta
        for _ in range(steps):
            h = model.hidden.sample(beta * model.hidden_input(v, given), generator=generator)
            v = model.visible.sample(beta * model.visible_input(h, given), generator=generator, given=given)
        return v


@dataclass(frozen=True)
class Ladder:
    """The distributions from an exactly sampled one to the last model, log Z of the first, and a function that samples it."""

    rungs: list[Rung]
    log_z: float
    sample: Callable[[int, torch.Generator], Tensor]
    given: Given

    def every(self, chains: int) -> Given:
        """`given`, repeated for each chain."""
        device = self.rungs[0].model.visible.zero_input().device
        return self.given.to(device).expand(chains)


@torch.no_grad()
def trajectory_ais(
    models: Sequence[RBM],
    *,
    chains: int = 100,
    steps: int = 1,
    betas: int | Sequence[float] = 100,
    seed: int = 0,
    given: Given = NOTHING,
    progress: bool = False,
) -> Estimate:
    """Estimate log Z of the last of `models` by annealing independent chains along all of them, in the order of training.

    The intermediate distributions are the models themselves. A mode that appears during training grows from nothing. So the chains divide
    among the modes as the modes separate.

    Parameters
    ----------
    models : sequence of RBM
        Models of one training run, as `Trajectory.models()` gives them, with the same layers and coupling.
    chains : int, default 100
        Number of independent chains.
    steps : int, default 1
        Gibbs sweeps per model.
    betas : int or sequence of float, default 100
        Inverse temperatures over which the first model's coupling is switched on, as in `ais`, where the first model cannot be sampled
        exactly. Few suffice for a first model with small initial weights.
    seed : int, default 0
        Seed of the draws.
    given : Given, optional
        One case (no leading axes), where Z depends on it.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.

    Returns
    -------
    Estimate
        log Z of the last model, in nats.

    Raises
    ------
    ValueError
        If there are no models, if they differ in kind, or if one has no partition function.
    TypeError
        If a layer has no energy.

    Warns
    -----
    UserWarning
        If the effective sample size is below a tenth of the number of chains.

    Notes
    -----
    With p*_k(v) = exp(-F_k(v)), log-weights are summed in float64:

        log w = Σ_k F_{k-1}(v_{k-1}) - F_k(v_{k-1}),

    where v_k comes from v_{k-1} by `steps` Gibbs sweeps of model k. The estimate of Z is unbiased. The estimate of log Z is low in
    expectation.

    The start is always sampled exactly. This is the first model itself if its coupling is zero (in closed form), or if its smaller side has
    at most 2^20 states (by enumeration). Otherwise it is the first model with independent units, and its coupling is switched on over
    `betas`. So no start is itself an estimate, and the bounds hold in every case.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm, trajectory = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.Trajectory()
    >>> rows = torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).repeat(50, 1)
    >>> state = hm.fit(rbm, rows, epochs=2, callbacks=[trajectory], progress=False)
    >>> found = hm.likelihood.trajectory_ais(trajectory.models())
    >>> abs(found.log_z - hm.likelihood.exact_log_z(rbm)) < 0.1
    True
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
    given: Given = NOTHING,
    progress: bool = False,
) -> Estimate:
    """Estimate log Z of the last of `models` by annealing from samples of it back to the first, with one chain from each sample.

    The path is that of `trajectory_ais`, whose start has a known log Z.

    Parameters
    ----------
    models : sequence of RBM
        Models of one training run, in the order of training.
    samples : Tensor
        Samples of the last model, (cases, *visible.shape).
    steps : int, default 1
        Gibbs sweeps per model.
    betas : int or sequence of float, default 100
        As for `trajectory_ais`.
    seed : int, default 0
        Seed of the draws.
    given : Given, optional
        One case (no leading axes), where Z depends on it.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.

    Returns
    -------
    Estimate
        log Z in nats. `ess` and `standard_error` are those of exp(-log_weights).

    Raises
    ------
    ValueError
        If samples lie outside the visible units' support, and as for `trajectory_ais`.
    TypeError
        If a layer has no energy.

    Warns
    -----
    UserWarning
        If the effective sample size is below a tenth of the number of samples.

    Notes
    -----
    If the samples are independent and *exact*, the mean of exp(-log_weights) is Z_start / Z. The estimate then lies above log Z in
    expectation, and that of `trajectory_ais` lies below. From chains of trajectory tempering, persistent chains or data the result is a
    second estimate and no bound. Samples that miss a mode hide it.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> models = [hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=scale)) for scale in (0.1, 0.2, 0.3)]
    >>> states, p = hm.likelihood.exact_distribution(models[-1])
    >>> exact = states[p.multinomial(100, replacement=True, generator=torch.Generator().manual_seed(0))]
    >>> found = hm.likelihood.reverse_trajectory_ais(models, exact)
    >>> abs(found.log_z - hm.likelihood.exact_log_z(models[-1])) < 0.1
    True
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


def _ladder(models: Sequence[RBM], betas: int | Sequence[float], given: Given) -> Ladder:
    """The ladder from the nearest distribution to the first model that can be sampled exactly. Raises ValueError and TypeError as above."""
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


def _listed(rungs: list[Rung], given: Given) -> Ladder:
    """The ladder from the first model itself, whose enumerated states of one side are drawn from the table."""
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

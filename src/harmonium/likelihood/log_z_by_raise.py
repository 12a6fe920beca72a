"""RAISE as one more way to log Z, beside annealing that does not begin at the cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.likelihood.log_likelihood import log_likelihood
from harmonium.likelihood.raise_bound import raise_bound
from harmonium.models import RBM


@dataclass(frozen=True)
class RaiseEstimate:
    """What RAISE makes of log Z, in nats: the mean of -F(x) - log p(x) over `cases`, p bounded from below under the annealing model.

    The likelihood that goes with it cannot promise too much of the annealing model, so that this log Z is too high where annealing does
    not reach the places where the cases are. `standard_error`: of the mean over these cases, from the luck of their chains and from the
    cases' differences in how well they are reached. `betas`: inverse temperatures, which one chain walks back from each case.
    """

    log_z: float
    standard_error: float
    cases: int
    betas: int


def some_of(cases: Tensor, count: int, seed: int) -> Tensor:
    """`count` of the cases, (cases, *shape), drawn without replacement; all where there are fewer."""
    return cases[torch.randperm(len(cases), generator=torch.Generator().manual_seed(seed))[:count].to(cases.device)]


@torch.no_grad()
def log_z_by_raise(
    model: RBM, x: Tensor, *, betas: int, base_rates: Tensor | None = None, seed: int = 0, progress: bool = False
) -> RaiseEstimate:
    """From visible states x, (cases, *visible.shape), one chain from each: of equal work one chain over more betas gives the tighter bound
    than several over fewer. Arguments and errors as for `raise_bound`, and a ValueError for less than two cases."""
    if len(x) < 2:
        raise ValueError(f"a mean over cases and its error take at least two cases, found {len(x)}")
    bound = raise_bound(model, x, betas=betas, chains=1, seed=seed, base_rates=base_rates, progress=progress)
    log_z = log_likelihood(model, x, log_z=0.0) - bound.log_p
    return RaiseEstimate(log_z.mean().item(), (log_z.std() / math.sqrt(len(x))).item(), len(x), betas)

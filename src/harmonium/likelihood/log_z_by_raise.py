"""log Z by RAISE, whose chains start from the cases."""

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
    """An estimate of log Z by RAISE, in nats: the mean of -F(x) - log p(x) over cases, with RAISE's lower bound for log p.

    The likelihood under this log Z does not overestimate that of the annealing model, in expectation. So this log Z is too high where
    annealing does not reach the cases.

    Parameters
    ----------
    log_z : float
        The estimate.
    standard_error : float
        Standard error of the mean over these cases, from the randomness of their chains and from how well each case is reached.
    cases : int
        Number of cases.
    betas : int
        Number of inverse temperatures. One chain goes back through them from each case.
    """

    log_z: float
    standard_error: float
    cases: int
    betas: int


def some_of(cases: Tensor, count: int, seed: int) -> Tensor:
    """`count` of the cases, (cases, *shape), drawn without replacement; all if there are fewer."""
    return cases[torch.randperm(len(cases), generator=torch.Generator().manual_seed(seed))[:count].to(cases.device)]


@torch.no_grad()
def log_z_by_raise(
    model: RBM, x: Tensor, *, betas: int, base_rates: Tensor | None = None, seed: int = 0, progress: bool = False
) -> RaiseEstimate:
    """Estimate log Z by RAISE, with one chain from each visible state.

    At equal cost one chain over more betas gives a tighter bound than several chains over fewer.

    Parameters
    ----------
    model : RBM
        The machine.
    x : Tensor
        At least two visible states, (cases, *visible.shape).
    betas : int
        Number of inverse temperatures.
    base_rates : Tensor, optional
        Visible means of the base-rate model, as for `ais`.
    seed : int, default 0
        Seed of the draws.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.

    Returns
    -------
    RaiseEstimate
        log Z in nats, and its standard error over the cases.

    Raises
    ------
    ValueError
        For fewer than two cases, and as for `raise_bound`.
    TypeError
        If a layer has no energy.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> found = hm.likelihood.log_z_by_raise(rbm, torch.eye(6), betas=10)
    >>> abs(found.log_z - hm.likelihood.exact_log_z(rbm)) < 0.01
    True
    """
    if len(x) < 2:
        raise ValueError(f"the standard error over cases takes at least two cases, found {len(x)}")
    bound = raise_bound(model, x, betas=betas, chains=1, seed=seed, base_rates=base_rates, progress=progress)
    log_z = log_likelihood(model, x, log_z=0.0) - bound.log_p
    return RaiseEstimate(log_z.mean().item(), (log_z.std() / math.sqrt(len(x))).item(), len(x), betas)

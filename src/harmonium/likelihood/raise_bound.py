"""The reverse annealed importance sampling estimator, RAISE (Burda, Grosse & Salakhutdinov 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.likelihood.annealing import log_mean_exp, make_path
from harmonium.likelihood.as_states import as_states
from harmonium.models import RBM

ROWS = 4096  # chains walked together
BASE_CHAINS = 100  # that find the default base rates


@dataclass(frozen=True)
class AnnealingBound:
    """A stochastic lower bound on the annealing model's log p of each case, in nats: all (cases,), float64.

    `standard_error`: of exp(log_p) relative to itself; infinite with one chain. `ess`: the effective sample size of each case's chains.
    """

    log_p: Tensor
    standard_error: Tensor
    ess: Tensor


@torch.no_grad()
def raise_bound(
    model: RBM,
    data: Tensor,
    *,
    betas: int | Sequence[float] = 14500,
    chains: int = 10,
    seed: int = 0,
    base_rates: Tensor | None = None,
    progress: bool = False,
) -> AnnealingBound:
    """Bounds log p of each case, (cases, *visible.shape), under the *annealing model*, which is not the RBM's own.

    The annealing model draws v from the base-rate model and takes one sweep of Gibbs sampling at each β; its p(v) is what that ends in.
    Chains walked back from a case give an unbiased estimate of this p(v), so that the logarithm of their mean lies below log p(v)
    in expectation: log p = -F(v) - (log Z_base - log mean exp(-log_weights)) over the case's own chains. With more betas the
    annealing model comes near the RBM, whose log p it can lie above or below: where it does not mix, this says nothing of the RBM. More
    chains narrow the gap to the annealing model alone.

    `betas`, `base_rates` and `progress` as for `ais`. cases x chains chains are walked. ValueError for data outside the visible units'
    support (grey levels too), for a schedule that does not go from 0 to 1, or for a machine that has no partition function; TypeError where
    a layer has no energy.
    """
    if chains < 1:
        raise ValueError(f"chains must be at least one a case, found {chains}")
    v = as_states(model.visible, data)
    generator = torch.Generator(v.device).manual_seed(seed)
    path = make_path(model, betas, base_rates, chains=BASE_CHAINS, generator=generator)
    at_once = max(ROWS // chains, 1)
    blocks = []
    for start in range(0, len(v), at_once):
        each = v[start : start + at_once].repeat_interleave(chains, dim=0)
        blocks.append(path.backward(each, generator, progress=progress).reshape(-1, chains))
    value, error, ess = log_mean_exp(-torch.cat(blocks))
    return AnnealingBound(value - path.log_z_base - model.free_energy(v).double(), error, ess)

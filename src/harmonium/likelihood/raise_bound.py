"""The reverse annealed importance sampling estimator, RAISE (Burda, Grosse & Salakhutdinov 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.likelihood.annealing import log_mean_exp, make_path
from harmonium.likelihood.as_states import as_states
from harmonium.models import RBM

ROWS = 4096  # chains run together
BASE_CHAINS = 100  # for the default base rates


@dataclass(frozen=True)
class AnnealingBound:
    """A stochastic lower bound on log p of each case under the annealing model, in nats.

    Parameters
    ----------
    log_p : Tensor
        The bound of each case, (cases,), float64.
    standard_error : Tensor
        Relative standard error of exp(log_p), (cases,), float64; infinite with one chain.
    ess : Tensor
        Effective sample size of each case's chains, (cases,), float64.
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
    """Bound log p of each case under the *annealing model*, which is not the RBM itself.

    The annealing model draws v from the base-rate model and takes one sweep of Gibbs sampling at each β. Its p(v) is the distribution of
    the final state.

    Parameters
    ----------
    model : RBM
        The machine at the end of the path.
    data : Tensor
        Cases, (cases, *visible.shape).
    betas : int or sequence of float, default 14500
        The inverse temperatures, as for `ais`.
    chains : int, default 10
        Number of chains per case. There are cases · chains in all.
    seed : int, default 0
        Seed of the draws.
    base_rates : Tensor, optional
        Visible means of the base-rate model, as for `ais`.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.

    Returns
    -------
    AnnealingBound
        The bound of each case, its relative standard error and its effective sample size.

    Raises
    ------
    ValueError
        If data lie outside the visible units' support (grey levels do), if the schedule does not increase from 0 to 1, if `chains` is below
        1, or if the machine has no partition function.
    TypeError
        If a layer has no energy.

    Notes
    -----
    Chains that go backwards from a case give an unbiased estimate of the annealing model's p(v). So the logarithm of their mean lies below
    log p(v) in expectation:

        log p = -F(v) - (log Z_base - log mean exp(-log_weights))

    over the case's own chains. With more betas the annealing model approaches the RBM. Its log p can lie above or below the RBM's: if
    annealing does not mix, the bound says nothing of the RBM. More chains narrow only the gap to the annealing model. The method is the
    reverse AIS estimator, RAISE (Burda, Grosse & Salakhutdinov 2015, arXiv:1412.8566).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> found = hm.likelihood.raise_bound(rbm, torch.eye(6), betas=10)
    >>> exact = hm.likelihood.log_likelihood(rbm, torch.eye(6), log_z=hm.likelihood.exact_log_z(rbm))
    >>> torch.allclose(found.log_p, exact, atol=0.01)
    True
    """
    if chains < 1:
        raise ValueError(f"chains must be at least one per case, found {chains}")
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

"""The probability of what is seen of each case, where values are missing and no layer can be listed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.units import Given


@torch.no_grad()
def seen_ais(model: RBM, v: Tensor, missing: Tensor, *, chains: int, betas: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """log Σ exp(-E(v, h)) over h and the missing values of each case, and its standard error: (cases,) float64 each.

    Annealed importance sampling of the missing values u of each case. With x the hidden input of what is seen, W s(u) that of u, and A the
    hidden log-partition, the path is f_β(u) = exp(-energy(u) + A(x + β W s(u))). At β = 0 the missing units are independent, and the sum
    is known.

    Parameters
    ----------
    model : RBM
        The machine.
    v : Tensor
        (cases, *visible.shape), with valid states in the gaps.
    missing : Tensor
        (cases, *visible.shape), true where a value is missing.
    chains, betas : int
        Chains of each case, and inverse temperatures between which they are annealed.
    generator : torch.Generator
        The source of all draws.
    """
    visible, hidden, coupling = model.visible, model.hidden, model.coupling
    seen, unseen = Given(present=~missing), Given(present=missing.expand(chains, *missing.shape))
    x = coupling.to_hidden(visible.statistic(v, seen))
    start = -visible.energy(v, seen).double() + hidden.log_partition(x).double()
    start = start + visible.log_partition(visible.zero_input(len(v)), Given(present=missing)).double()
    u = visible.sample(visible.zero_input(chains, len(v)), generator=generator, given=unseen)
    log_weight, wide = start.new_zeros(chains, len(v)), x.double()
    for number in range(betas):
        sent = coupling.to_hidden(visible.statistic(u, unseen))
        below, above = (wide + beta * sent.double() for beta in (number / betas, (number + 1) / betas))
        log_weight += hidden.log_partition(above) - hidden.log_partition(below)
        h = hidden.sample(above.to(x), generator=generator)
        u = visible.sample((number + 1) / betas * coupling.to_visible(hidden.statistic(h)), generator=generator, given=unseen)
    log_mean = log_weight.logsumexp(0) - math.log(chains)
    spread = torch.exp(log_weight - log_mean).std(0) if chains > 1 else torch.full_like(log_mean, math.nan)
    return start + log_mean, spread / math.sqrt(chains)

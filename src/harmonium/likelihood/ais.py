"""Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, estimate, make_path, warn_of_few
from harmonium.models import RBM
from harmonium.units import Given


@torch.no_grad()
def ais(
    model: RBM,
    *,
    chains: int = 100,
    betas: int | Sequence[float] = 14500,
    seed: int = 0,
    base_rates: Tensor | None = None,
    given: Given | None = None,
    progress: bool = False,
) -> Estimate:
    """Estimates log Z by annealing independent chains from a base-rate model to `model`.

    The path scales the coupling's input by β, leaves the hidden biases on, and moves the visible natural parameters from the base's
    to the model's: p*_β(v) = exp(-visible.energy(v) + (1 - β) <s(v), base> + hidden.log_partition(β · input)). Its start is a
    factorial model whose log Z is a sum of log-partitions. The estimate of Z is unbiased, so that of log Z is low in expectation.

    `betas`: how many inverse temperatures (even on a logistic function, see `sigmoid_schedule`), or the increasing sequence from 0 to 1
    itself. `base_rates`: the visible means of the base, (*visible.shape), as those of the training data; by default those of a short
    Gibbs run of the model itself. `given`: one case (no leading axes), where Z depends on it: a mask of absent units, a document's
    length, a context. `progress`: a bar with the time left, on a terminal. Log-weights are summed in float64. Warns where the effective
    sample size is below a tenth of the chains. ValueError for a schedule that does not go from 0 to 1, or for a machine that has no
    partition function; TypeError where a layer has no energy.
    """
    generator = torch.Generator(model.visible.zero_input().device).manual_seed(seed)
    path = make_path(model, betas, base_rates, chains=chains, generator=generator, given=given)
    log_weights = path.forward(path.start(chains, generator), generator, progress=progress)
    result = estimate(log_weights.cpu(), path.log_z_base)
    consequence = "log Z is likely underestimated (and the likelihood overestimated)"
    warn_of_few("annealed importance sampling", result.ess, chains, len(path.betas), consequence)
    return result

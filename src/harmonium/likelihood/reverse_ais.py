"""Reverse annealed importance sampling (Burda, Grosse & Salakhutdinov 2015; Grosse, Ghahramani & Adams 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, log_mean_exp, make_path, warn_of_few
from harmonium.likelihood.as_states import as_states
from harmonium.models import RBM
from harmonium.units import Given


@torch.no_grad()
def reverse_ais(
    model: RBM,
    samples: Tensor,
    *,
    betas: int | Sequence[float] = 14500,
    base_rates: Tensor | None = None,
    seed: int = 0,
    given: Given | None = None,
    progress: bool = False,
) -> Estimate:
    """Estimates log Z by annealing from samples of `model`, (cases, *visible.shape), back to a base-rate model, one chain from each.

    What it proves. From independent *exact* samples the mean of exp(-log_weights) is Z_base / Z whatever the path, so that the estimate,
    log Z_base - log mean exp(-log_weights), lies above log Z in expectation, as that of `ais` lies below: together they bracket log Z.
    Exact samples are had only of machines that can be enumerated, or by other means of sampling without error. From persistent or
    tempered chains, or from data, nothing is bounded and this is a second estimate. Samples that miss a mode hide it from both
    directions: then the two agree and both are too low.

    The path is that of `ais`, and so are `betas`, `base_rates`, `given` (one case, no leading axes) and `progress`; the default base
    rates come from a Gibbs run of their own, independent of the samples. `ess` and `standard_error` are of exp(-log_weights). Warns where
    the effective sample size is below a tenth of the samples. ValueError for samples outside the visible units' support, or whose
    documents are not of the given length.
    """
    v = as_states(model.visible, samples, given)
    generator = torch.Generator(v.device).manual_seed(seed)
    path = make_path(model, betas, base_rates, chains=len(v), generator=generator, given=given)
    log_weights = path.backward(v, generator, progress=progress).cpu()
    value, error, ess = (figure.item() for figure in log_mean_exp(-log_weights))
    consequence = "log Z is likely overestimated even if the samples are exact"
    warn_of_few("reverse annealed importance sampling", ess, len(v), len(path.betas), consequence)
    return Estimate(path.log_z_base - value, error, ess, log_weights)

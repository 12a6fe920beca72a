"""Reverse annealed importance sampling (Burda, Grosse & Salakhutdinov 2015; Grosse, Ghahramani & Adams 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, log_mean_exp, make_path, warn_of_few
from harmonium.likelihood.as_states import as_states
from harmonium.models import RBM
from harmonium.units import NOTHING, Given


@torch.no_grad()
def reverse_ais(
    model: RBM,
    samples: Tensor,
    *,
    betas: int | Sequence[float] = 14500,
    base_rates: Tensor | None = None,
    seed: int = 0,
    given: Given = NOTHING,
    progress: bool = False,
) -> Estimate:
    """Estimate log Z by annealing from samples of `model` back to a base-rate model, with one chain from each sample.

    Parameters
    ----------
    model : RBM
        The machine whose log Z is estimated.
    samples : Tensor
        Samples of the model, (cases, *visible.shape).
    betas : int or sequence of float, default 14500
        The inverse temperatures, as for `ais`.
    base_rates : Tensor, optional
        Visible means of the base-rate model, as for `ais`. By default they come from a separate Gibbs run, independent of the samples.
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
        If samples lie outside the visible units' support, if documents do not have the given length, if the schedule does not increase from
        0 to 1, or if the machine has no partition function.
    TypeError
        If the model is not an RBM, or if a layer has no energy.

    Warns
    -----
    UserWarning
        If the effective sample size is below a tenth of the number of samples.

    Notes
    -----
    If the samples are independent and *exact*, the mean of exp(-log_weights) is Z_base / Z for any path. The estimate

        log Z_base - log mean exp(-log_weights)

    then lies above log Z in expectation, and that of `ais` lies below: together they bracket log Z. Exact samples are available only for
    machines that can be enumerated, or by other samplers without error. From persistent or tempered chains, or from data, the result is a
    second estimate and no bound. Samples that miss a mode hide it in both directions: then the two estimates agree and both are too low.
    See Burda, Grosse & Salakhutdinov (2015), arXiv:1412.8566, and Grosse, Ghahramani & Adams (2015), arXiv:1511.02543.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0))
    >>> states, p = hm.likelihood.exact_distribution(rbm)
    >>> exact = states[p.multinomial(100, replacement=True, generator=torch.Generator().manual_seed(0))]
    >>> found = hm.likelihood.reverse_ais(rbm, exact, betas=20)
    >>> abs(found.log_z - hm.likelihood.exact_log_z(rbm)) < 0.1
    True
    """
    v = as_states(model.visible, samples, given)
    generator = torch.Generator(v.device).manual_seed(seed)
    path = make_path(model, betas, base_rates, chains=len(v), generator=generator, given=given)
    log_weights = path.backward(v, generator, progress=progress).cpu()
    value, error, ess = (figure.item() for figure in log_mean_exp(-log_weights))
    consequence = "log Z is likely overestimated even if the samples are exact"
    warn_of_few("reverse annealed importance sampling", ess, len(v), len(path.betas), consequence)
    return Estimate(path.log_z_base - value, error, ess, log_weights)

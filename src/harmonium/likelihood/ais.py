"""Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.likelihood.annealing import Estimate, estimate, make_path, warn_of_few
from harmonium.models import RBM
from harmonium.processes import gathered, own_share, rank, world_size
from harmonium.seeds import derive
from harmonium.units import NOTHING, Given


@torch.no_grad()
def ais(
    model: RBM,
    *,
    chains: int = 100,
    betas: int | Sequence[float] = 14500,
    seed: int = 0,
    base_rates: Tensor | None = None,
    given: Given = NOTHING,
    progress: bool = False,
    divided: bool = False,
) -> Estimate:
    """Estimate log Z by annealed importance sampling from a base-rate model to `model`.

    Independent chains start from a factorial model, whose log Z is known, and pass through intermediate distributions to the RBM.

    Parameters
    ----------
    model : RBM
        The machine whose log Z is estimated.
    chains : int, default 100
        Number of independent chains.
    betas : int or sequence of float, default 14500
        The number of inverse temperatures, spaced evenly along a logistic function (`sigmoid_schedule`). A sequence gives the values
        themselves, increasing from 0 to 1.
    seed : int, default 0
        Seed of the draws.
    base_rates : Tensor, optional
        Visible means of the base-rate model, (*visible.shape), such as the means of the training data. By default they come from a short
        Gibbs run of the model itself.
    given : Given, optional
        One case (no leading axes), where Z depends on it: a mask of absent units, the length of a document, or a context.
    progress : bool, default False
        Show the time left, in a bar on a terminal and otherwise in a line a minute.
    divided : bool, default False
        Divide the chains among the processes that `torchrun` started. All of them must make the same call, and get the same estimate.

    Returns
    -------
    Estimate
        log Z in nats, its standard error, the effective sample size and the log-weights.

    Raises
    ------
    ValueError
        If the schedule does not increase from 0 to 1, or if the machine has no partition function.
    TypeError
        If the model is not an RBM, or if a layer has no energy.

    Warns
    -----
    UserWarning
        If the effective sample size is below a tenth of the number of chains.

    Notes
    -----
    The path scales the coupling's input by β, keeps the hidden biases, and moves the visible natural parameters from those of the base to
    those of the model:

        p*_β(v) = exp(-visible.energy(v) + (1 - β) <s(v), base> + hidden.log_partition(β · input))

    Log-weights are summed in float64. The estimate of Z is unbiased. The estimate of log Z is therefore low in expectation, and the
    likelihood computed from it is too high. The method is that of Neal (2001), doi:10.1023/A:1008923215028, applied to RBMs by
    Salakhutdinov & Murray (2008), doi:10.1145/1390156.1390266.

    Examples
    --------
    >>> import harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), hm.Dense(6, 4, scale=1.0))
    >>> found = hm.likelihood.ais(rbm, betas=20)
    >>> abs(found.log_z - hm.likelihood.exact_log_z(rbm)) < 0.1
    True
    """
    generator = torch.Generator(model.visible.zero_input().device).manual_seed(seed)
    path = make_path(model, betas, base_rates, chains=chains, generator=generator, given=given)
    own = chains
    if divided and world_size() > 1:
        own = own_share(chains)
        generator.manual_seed(derive(seed, rank()))
    log_weights = path.forward(path.start(own, generator), generator, progress=progress).cpu()
    result = estimate(gathered(log_weights, 0) if divided else log_weights, path.log_z_base)
    consequence = "log Z is likely underestimated (and the likelihood overestimated)"
    warn_of_few("annealed importance sampling", result.ess, chains, len(path.betas), consequence)
    return result

"""Imputation: the posterior of every missing value, estimated by many clamped chains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.data import Table
from harmonium.models import RBM
from harmonium.sampling.gaps import blocks_with_gaps, rows_with_gaps
from harmonium.sampling.imputation import Imputation
from harmonium.sampling.posterior import Effort, posterior
from harmonium.units import NOTHING, Given

NUMBERS = 2**22  # states that are kept at once
OF_A_ROW = ("rows", "mean", "standard_deviation", "standard_error", "probability")


@torch.no_grad()
def impute(
    model: RBM,
    data: Table | Tensor | Any,
    missing: Tensor | None = None,
    *,
    chains: int = 20,
    steps: int = 100,
    average: int | None = None,
    seed: int = 0,
    given: Given = NOTHING,
) -> Imputation:
    """Fill in missing values by their posterior mean or mode, and say how uncertain they are.

    Parameters
    ----------
    model : RBM
        The machine.
    data : Table, Tensor, array or frame of numbers
        Rows, (cases, *visible.shape), with NaN or any other value in the gaps.
    missing : Tensor, optional
        A mask that broadcasts to the rows, true where a value is missing; by default where a row is NaN.
    chains : int, default 20
        Clamped Gibbs chains of each row, each from its own start.
    steps : int, default 100
        Sweeps of each chain.
    average : int, optional
        Moments are averaged over the last `average` sweeps; by default the later half.
    seed : int, default 0
        Seed of all draws.
    given : Given, optional
        What else is given of each case, such as a context.

    Returns
    -------
    Imputation
        The filled rows, and the posterior's mean, standard deviation, probabilities and draws.

    Raises
    ------
    TypeError
        For models that are no RBM: `hm.sampling.complete` draws for deeper ones.
    ValueError
        If an observed value lies outside the units' support, if the mask does not fit, or for a number of chains or sweeps below one.

    Notes
    -----
    Given the hidden units, moments are known in closed form, and these are averaged over sweeps and chains (Rao-Blackwellised): the mean of
    E[v | h], and for the variance the mean of Var[v | h] plus the variance of E[v | h]. A standard error that is large beside the standard
    deviation says that the chains disagree: take more steps.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    >>> found = hm.impute(rbm, torch.tensor([[1.0, 0.0, float("nan"), 1.0]]))
    >>> bool(0.4 < found.mean[0, 2] < 0.6), found.missing[0]
    (True, tensor([False, False,  True, False]))
    """
    effort = Effort(chains, steps, (steps + 1) // 2 if average is None else average)
    if not isinstance(model, RBM):
        raise TypeError(
            f"hm.impute takes an RBM, found {type(model).__name__}; hm.sampling.complete draws missing values for deeper models"
        )
    visible, like = model.visible, model.visible.zero_input()
    v, missing, table = rows_with_gaps(visible, data, missing)
    visible.check(v)
    v = visible.from_data(v, like)
    nothing, draws = torch.zeros_like(v), v.repeat(chains, *[1] * v.dim())
    found = Imputation(v.clone(), v.clone(), nothing, nothing.clone(), torch.ones_like(v), draws, missing, table)
    generator = torch.Generator(like.device).manual_seed(seed)
    for here in blocks_with_gaps(missing, NUMBERS // (chains * v[0].numel())):
        part = posterior(model, v[here], missing[here], effort, generator=generator, given=given.rows(here))
        for name in OF_A_ROW:
            getattr(found, name)[here] = getattr(part, name)
        found.draws[:, here] = part.draws
    return found

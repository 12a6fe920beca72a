"""Imputation: the posterior of every missing value, estimated by many clamped chains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harmonium.data import Table
from harmonium.models import RBM
from harmonium.sampling.gaps import rows_with_gaps
from harmonium.sampling.imputed_cells import imputed_cells
from harmonium.sampling.posterior import Effort, Posterior, posterior
from harmonium.units import NOTHING, Given

NUMBERS = 2**22  # states that are kept at once


@dataclass(frozen=True, eq=False, repr=False)
class Imputation:
    """Rows whose gaps are filled, and the posterior of what was missing.

    Parameters
    ----------
    rows : Tensor
        (cases, *visible.shape): the observed values, and in every gap a state: the most probable one of binary, categorical and ordered
        units, the mean of real-valued ones, and the nearest count to it of counting ones.
    mean : Tensor
        Of the same shape: E[v | observed], which is the probability of each category of a softmax group. Observed values have themselves.
    standard_deviation : Tensor
        Of the same shape: of v given what was observed. Zero where a value was observed.
    standard_error : Tensor
        Of the same shape: the Monte Carlo error of `mean`, from the differences between the chains. NaN with one chain.
    probability : Tensor
        Of the same shape: the probability of the state in `rows`. NaN for units that are real-valued or count without end. One where a
        value was observed.
    draws : Tensor
        (chains, cases, *visible.shape): the last state of each chain, one completed table per chain (multiple imputation).
    missing : Tensor
        Of the rows' shape, true where a value was missing.
    table : Table, optional
        The table that the rows come from.

    Examples
    --------
    >>> import pandas, harmonium as hm
    >>> table = hm.data.from_frame(pandas.DataFrame({"a": [True, True, False, None] * 10, "b": [True, True, False, True] * 10}))
    >>> rbm = hm.RBM(table.visible, 2)
    >>> _ = hm.fit(rbm, table.rows, given=table.given, epochs=100, batch_size=10, progress=False)
    >>> found = hm.impute(rbm, table)
    >>> found.frame.loc[3, "a"]
    True
    >>> list(found.cells.columns)
    ['row', 'column', 'value', 'mean', 'standard_deviation', 'probability']
    """

    rows: Tensor
    mean: Tensor
    standard_deviation: Tensor
    standard_error: Tensor
    probability: Tensor
    draws: Tensor
    missing: Tensor
    table: Table | None = field(default=None)

    @property
    def frame(self) -> Any:
        """The table's frame with its gaps filled. Observed cells are untouched."""
        return self._table.filled(self.rows)

    @property
    def cells(self) -> Any:
        """A frame of one row per missing cell: its row and column, the imputed value, and how sure it is.

        Mean and standard deviation are in the column's own scale, nanoseconds for dates; NaN for labels. The probability is that of the
        imputed label, and NaN for numbers. Values are texts, because the columns of a table have different types.
        """
        return imputed_cells(self._table, self.rows, self.mean, self.standard_deviation, self.probability)

    @property
    def _table(self) -> Table:
        if self.table is None:
            raise ValueError("the rows came without a table: give hm.impute a table of hm.data.from_frame to get frames")
        return self.table

    def __repr__(self) -> str:
        return f"Imputation({int(self.missing.sum())} of {self.missing.numel()} states missing, {len(self.draws)} chains)"


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
    if chains < 1 or not 1 <= effort.average <= steps:
        raise ValueError(f"imputation takes at least one chain and one sweep, and averages over at most all sweeps, found {effort}")
    if not isinstance(model, RBM):
        raise TypeError(
            f"hm.impute takes an RBM, found {type(model).__name__}; hm.sampling.complete draws missing values for deeper models"
        )
    visible, like = model.visible, model.visible.zero_input()
    v, missing, table = rows_with_gaps(visible, data, missing)
    visible.check(v)
    v = visible.from_data(v, like)
    seen = Posterior(v.clone(), v.clone(), torch.zeros_like(v), torch.zeros_like(v), torch.ones_like(v), v.repeat(chains, *[1] * v.dim()))
    generator = torch.Generator(like.device).manual_seed(seed)
    gapped = missing.flatten(1).any(1).nonzero().squeeze(1)
    for here in torch.split(gapped, max(1, NUMBERS // (chains * v[0].numel()))):
        if len(here):
            found = posterior(model, v[here], missing[here], effort, generator=generator, given=given.rows(here))
            for whole, part in zip(seen[:-1], found[:-1], strict=True):
                whole[here] = part
            seen.draws[:, here] = found.draws
    return Imputation(*seen, missing, table)

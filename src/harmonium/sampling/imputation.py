"""What is known of missing values, given what was seen of their rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from harmonium.data import Table
from harmonium.sampling.imputed_cells import imputed_cells


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

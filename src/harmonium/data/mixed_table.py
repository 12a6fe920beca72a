"""A frame of columns of several kinds, as states of one visible layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.column_kinds import Named, code_of
from harmonium.data.columns import Column, Kind, plain
from harmonium.data.frame_libraries import Library, library_of, names_of
from harmonium.units import NOTHING, Given, Groups


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Rows of a frame as states of units, and the rules by which they were made. `from_frame` makes it.

    Printing it shows the kind of each column.

    Parameters
    ----------
    columns : tuple of Column
        The columns, each with its kind, its units and its rules.
    rows : torch.Tensor
        (rows, units) float32: the data of `hm.fit`. NaN stands where a value is missing.
    given : Given
        `missing=` of the gaps; nothing if there are none.
    frame : object
        The frame that the rows come from.
    library : Library
        Reads and writes frames.

    Examples
    --------
    >>> import pandas, harmonium as hm
    >>> frame = pandas.DataFrame({"age": [31.5, 64.25, None], "smokes": ["no", "yes", "no"], "visits": [0, 3, 1]})
    >>> table = hm.data.from_frame(frame)
    >>> table
    3 rows of 3 columns, 1 value missing: 3 units
    age     real    1 missing  Gaussian: mean 47.88, standard deviation 16.38
    smokes  binary             Bernoulli: no, yes
    visits  count              Poisson: 0, 1, 2, ...
    >>> rbm = hm.RBM(table.visible, 4)
    >>> _ = hm.fit(rbm, table.rows, given=table.given, epochs=2, batch_size=3, progress=False)
    >>> drawn = rbm.gibbs(torch.nan_to_num(table.rows), steps=10, generator=torch.Generator().manual_seed(0))
    >>> list(table.to_frame(drawn).columns)
    ['age', 'smokes', 'visits']
    """

    columns: tuple[Column, ...]
    rows: Tensor
    given: Given
    frame: Any
    library: Library

    @property
    def visible(self) -> Groups:
        """A new layer for the rows, untrained. Neighbouring columns of one kind, and of as many labels, share a part of it."""
        runs = groupby(self.columns, key=lambda column: (column.kind, column.code.states))
        parts = [list(run) for _, run in runs]
        return Groups(*(run[0].code.layer(len(run)) for run in parts))

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column, as `from_frame` takes them."""
        return {column.name: column.kind for column in self.columns}

    def __len__(self) -> int:
        return len(self.rows)

    def encode(self, frame: Any) -> Table:
        """The rows of another frame by the same rules. Further columns of it are left out.

        Raises a ValueError that names the row and the column for a value that the rules do not know, and for a missing column.
        """
        library, names = library_of(frame), names_of(frame)
        absent = [column.name for column in self.columns if column.name not in names]
        if absent:
            raise ValueError(f"expected the columns {', '.join(map(repr, self.kinds))}, found none named {', '.join(map(repr, absent))}")
        return encoded(self.columns, frame, library)

    def to_frame(self, rows: Tensor) -> Any:
        """States, such as samples, as a frame of the same columns, types, categories and scales. NaN becomes a missing value.

        Parameters
        ----------
        rows : torch.Tensor
            (rows, units).

        Returns
        -------
        object
            A frame of the library that the table's own frame is of. Labels are those of the most probable state, if `rows` are means, and
            counts are rounded.
        """
        states = self._states(rows)
        return self.library.write({column.name: (column.code.decode(states[:, column.units]), column.dtype) for column in self.columns})

    def filled(self, rows: Tensor) -> Any:
        """The table's frame with its missing values, and only these, taken from states, (rows, units)."""
        states = self._states(rows)
        if len(states) != len(self.rows):
            raise ValueError(f"expected one row of states for each of {len(self.rows)} rows, found {len(states)}")
        columns = {}
        for column in self.columns:
            cells = self.library.read(self.frame, column.name)
            if cells.missing.any():
                found = column.code.decode(states[:, column.units])
                values = [new if gone else plain(old) for old, new, gone in zip(cells.values, found, cells.missing, strict=True)]
                columns[column.name] = (np.array(values, found.dtype) if isinstance(found, np.ndarray) else values, column.dtype)
        return self.library.replace(self.frame, columns)

    def _states(self, rows: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
        units = self.columns[-1].stop
        if rows.dim() != 2 or rows.shape[1] != units:
            raise ValueError(f"expected states of shape (rows, {units}), found {tuple(rows.shape)}")
        return rows.detach().cpu().double().numpy()

    def __repr__(self) -> str:
        gaps = [int(self.rows[:, column.start].isnan().sum()) for column in self.columns]
        beside = zip(self.columns, gaps, strict=True)
        lines = [(column.name, column.kind, f"{count} missing" if count else "", column.code.told()) for column, count in beside]
        wide = [max(len(line[place]) for line in lines) for place in range(3)]
        told = ("  ".join([*(text.ljust(width) for text, width in zip(line, wide, strict=False)), line[3]]) for line in lines)
        missing = f"{sum(gaps) or 'no'} value{'s' * (sum(gaps) != 1)} missing"
        return "\n".join([f"{len(self)} rows of {len(lines)} columns, {missing}: {self.columns[-1].stop} units", *told])


def from_frame(frame: Any, kinds: Mapping[str, Named] | None = None) -> Table:
    """Make the columns of a frame one visible layer, and its rows states of it.

    Parameters
    ----------
    frame : pandas.DataFrame or polars.DataFrame
        One case per row. NaN, None, NA and NaT are missing values.
    kinds : mapping, optional
        The kinds of some or all columns, by name: one of the names below, or a list of all values of a column in their order. The kinds
        of the others are guessed, and printing the table shows them.

    Returns
    -------
    Table
        The rows, the layer, and the rules, which also encode other frames and turn samples into frames.

    Raises
    ------
    ValueError
        For a column that its kind does not fit, with the row; for a column without values, a column of names or texts, and unknown kinds.
    TypeError
        For what is no frame.

    Notes
    -----
    The kinds, their units, and what they are guessed for:

    - "binary", two values of any type, `Bernoulli`: booleans; two labels; two whole numbers.
    - "categorical", k labels without order, `Softmax`: texts and categories, at most 100 different ones.
    - "ordered", k labels in order, `Binomial` with k - 1 copies: categories whose type is ordered.
    - "count", 0, 1, 2, ..., `Poisson`: whole numbers of zero or more with a mean of at most 20.
    - "non-negative", real numbers of zero or more, `TruncatedGaussian`: those with a mean below 1.5 standard deviations.
    - "real", real numbers or dates, `Gaussian`: all other numbers, dates and durations.

    Real columns are standardised, and non-negative ones divided by their root mean square; both units learn their variance. `to_frame` and
    `filled` bring back the column's own scale. Columns of one number are real. Dates count in nanoseconds; as float32 states they keep
    about seven digits of their range.

    Examples
    --------
    >>> import pandas, harmonium as hm
    >>> frame = pandas.DataFrame({"grade": ["low", "high", None], "errors": [0, 2, 1]})
    >>> table = hm.data.from_frame(frame, kinds={"grade": ["low", "middle", "high"]})
    >>> table.kinds
    {'grade': 'ordered', 'errors': 'count'}
    >>> table.rows
    tensor([[0., 0.],
            [2., 2.],
            [nan, 1.]])
    >>> table.encode(pandas.DataFrame({"grade": ["middle"], "errors": [-1]}))
    Traceback (most recent call last):
        ...
    ValueError: row 0 of column 'errors', of kind 'count', must hold a number of zero or more, found -1: ...
    """
    library, names, kinds = library_of(frame), names_of(frame), kinds or {}
    unknown = [name for name in kinds if name not in names]
    if unknown:
        raise ValueError(f"kinds names {', '.join(map(repr, unknown))}, and the frame has the columns {', '.join(map(repr, names))}")
    columns, start = [], 0
    for name in names:
        cells = library.read(frame, name)
        columns.append(Column(name, code_of(cells, kinds.get(name)), start, cells.dtype))
        start = columns[-1].stop
    return encoded(tuple(columns), frame, library)


def encoded(columns: tuple[Column, ...], frame: Any, library: Library) -> Table:
    states = np.concatenate([column.code.encode(library.read(frame, column.name)) for column in columns], axis=1)
    rows = torch.from_numpy(states.astype(np.float32))
    missing = rows.isnan()
    return Table(columns, rows, replace(NOTHING, missing=missing) if bool(missing.any()) else NOTHING, frame, library)

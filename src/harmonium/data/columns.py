"""How the values of one column become states of units, and states become values again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harmonium.data.frame_libraries import Cells
from harmonium.data.tables import numeric
from harmonium.units import Bernoulli, Binomial, Gaussian, Poisson, Softmax, TruncatedGaussian, Unit

Kind = Literal["binary", "categorical", "ordered", "count", "non-negative", "real"]
Array = NDArray[Any]
Floats = NDArray[np.float64]

DATES = {"M": "datetime64[ns]", "m": "timedelta64[ns]"}  # by kind of NumPy type
STEPS = [86_400 * 10**9, 3600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3, 1]  # a day, an hour, ... a nanosecond, in nanoseconds
SHOWN = 8  # known values in an error


@dataclass(frozen=True)
class Labels:
    """Values of a finite list: `values` in the order of the states."""

    kind: Literal["binary", "categorical", "ordered"]
    values: tuple[Any, ...]

    @property
    def states(self) -> int:
        """The number of labels. Columns of one kind and as many labels share a part of the layer."""
        return len(self.values)

    @property
    def width(self) -> int:
        """The number of units."""
        return len(self.values) if self.kind == "categorical" else 1

    def layer(self, columns: int) -> Unit:
        """The units of so many columns of this kind, side by side."""
        if self.kind == "categorical":
            return Softmax(columns, categories=len(self.values))
        return Bernoulli(columns) if self.kind == "binary" else Binomial(columns, copies=len(self.values) - 1)

    def encode(self, cells: Cells) -> Floats:
        """States, (rows, width), with NaN where a value is missing. Raises a ValueError that names the row and the column."""
        numbers = {value: number for number, value in enumerate(self.values)}
        found = np.full(len(cells.values), np.nan)
        for row in np.flatnonzero(~cells.missing):
            value = plain(cells.values[row])
            if value not in numbers:
                known = ", ".join(repr(each) for each in self.values[:SHOWN]) + (", ..." if len(self.values) > SHOWN else "")
                raise ValueError(
                    f"row {row} of column {cells.name!r} holds {value!r}, which is none of its {len(self.values)} known values ({known}): "
                    "make the table from rows that hold all values, declare them as the column's categories, or set the cell to missing"
                )
            found[row] = numbers[value]
        if self.kind != "categorical":
            return found[:, None]
        one_hot: Floats = (found[:, None] == np.arange(len(self.values))).astype(np.float64)
        one_hot[cells.missing] = np.nan
        return one_hot

    def decode(self, states: Floats) -> list[Any] | Array:
        """Values, (rows,). A missing value is None, or NaN or NaT in an array."""
        missing: Array = np.any(np.isnan(states), axis=1)
        filled = np.where(missing[:, None], 0.0, states)
        number = filled.argmax(1) if self.kind == "categorical" else filled[:, 0].round().clip(0, len(self.values) - 1).astype(np.int64)
        return [None if gone else self.values[n] for n, gone in zip(number, missing, strict=True)]

    def told(self) -> str:
        """What the units and the values are, in a few words."""
        shown = [str(value) for value in self.values[:4]] + ["..."] * (len(self.values) > 4)
        return f"{type(self.layer(1)).__name__}: {(' < ' if self.kind == 'ordered' else ', ').join(shown)}"


@dataclass(frozen=True)
class Numbers:
    """Numbers or dates, as states (value - centre) / scale.

    `step`: values are whole multiples of it; 0 where they are not. `dates`: the NumPy type of dates, which count in nanoseconds; empty for
    numbers. `width`: the number of units. `states`: no labels.
    """

    kind: Literal["count", "non-negative", "real"]
    centre: float = 0.0
    scale: float = 1.0
    step: float = 0.0
    dates: str = ""
    width: int = 1
    states: int = 0

    def layer(self, columns: int) -> Unit:
        """The units of so many columns of this kind, side by side."""
        if self.kind == "count":
            return Poisson(columns)
        return (Gaussian if self.kind == "real" else TruncatedGaussian)(columns, learn_variance=True)

    def encode(self, cells: Cells) -> Floats:
        """States, (rows, width), with NaN where a value is missing. Raises a ValueError that names the row and the column."""
        values = numbers_of(cells)
        wrong = {
            "a finite number": np.isinf(values),
            "a number of zero or more": (values < 0) & (self.kind != "real"),
            "a whole number": (values != values.round()) & ~np.isnan(values) & (self.kind == "count"),
        }
        for expected, where in wrong.items():
            if where.any():
                row = int(where.argmax())
                raise ValueError(
                    f"row {row} of column {cells.name!r}, of kind {self.kind!r}, must hold {expected}, found {values[row]:g}: correct "
                    f"the cell, set it to missing, or name another kind: kinds={{{cells.name!r}: ...}}"
                )
        return ((values - self.centre) / self.scale)[:, None]

    def numbers(self, states: Floats) -> Floats:
        """The states in the column's own scale, (rows,), without rounding."""
        return self.centre + self.scale * states

    def decode(self, states: Floats) -> list[Any] | Array:
        """Values, (rows,). A missing value is None, or NaN or NaT in an array."""
        values = self.numbers(states[:, 0])
        if self.step:
            values = (values / self.step).round() * self.step
        if self.dates:
            whole = np.where(np.isnan(values), np.iinfo(np.int64).min, np.nan_to_num(values)).astype(np.int64)
            return whole.view(self.dates)  # the least integer is NaT
        if not self.step:
            return values
        return [None if np.isnan(value) else int(value) for value in values] if np.isnan(values).any() else values.astype(np.int64)

    def told(self) -> str:
        """What the units and the values are, in a few words."""
        unit = type(self.layer(1)).__name__
        if self.kind == "count":
            return f"{unit}: 0, 1, 2, ..."
        if self.dates:
            return f"{unit}: {self.dates.partition('64')[0]}, standard deviation {self.scale / STEPS[0]:.4g} days"
        if self.kind == "real":
            return f"{unit}: mean {self.centre:.4g}, standard deviation {self.scale:.4g}"
        return f"{unit}: root mean square {self.scale:.4g}"


@dataclass(frozen=True)
class Column:
    """One column of a table, and its units in the visible layer.

    Parameters
    ----------
    name : str
        The column's name.
    code : Labels or Numbers
        How values become states.
    start : int
        The column's first unit.
    dtype : object
        The type of the column in its frame's library.

    Examples
    --------
    >>> import pandas, harmonium as hm
    >>> table = hm.data.from_frame(pandas.DataFrame({"size": [1.5, 2.5, 2.0], "colour": ["red", "blue", "green"]}))
    >>> [(column.name, column.kind, column.start, column.stop) for column in table.columns]
    [('size', 'real', 0, 1), ('colour', 'categorical', 1, 4)]
    """

    name: str
    code: Labels | Numbers
    start: int
    dtype: Any

    @property
    def kind(self) -> Kind:
        """The kind of the column."""
        return self.code.kind

    @property
    def stop(self) -> int:
        """The place after the column's last unit."""
        return self.start + self.code.width

    @property
    def units(self) -> slice:
        """The column's units."""
        return slice(self.start, self.stop)


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's own value."""
    return value.item() if isinstance(value, np.generic) else value


def numbers_of(cells: Cells) -> Floats:
    """Numbers, or dates in nanoseconds, (rows,) float64, with NaN where a value is missing."""
    if cells.values.dtype.kind in DATES:
        whole = cells.values.astype(DATES[cells.values.dtype.kind]).view(np.int64)
        return np.where(cells.missing, np.nan, whole.astype(np.float64))
    known = cells.values.astype(object)
    known[cells.missing] = None
    return numeric(known, f"column {cells.name!r}")


def date_step(values: Floats) -> float:
    """The longest of a day, an hour, a minute, ... of which all dates, in nanoseconds, are multiples."""
    return float(next(step for step in STEPS if (values.astype(np.int64) % step == 0).all()))

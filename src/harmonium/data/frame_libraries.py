"""Columns of pandas and polars frames, read as arrays and written again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Cells:
    """One column as it was read.

    `values`: (rows,), numbers, dates or objects. `missing`: (rows,), true for NaN, None, NA and NaT; values there are never read.
    `dtype`: the library's own type. `categories`: the values that the type declares, in its order, or None. `ordered`: whether the type
    says that this order means something.
    """

    name: str
    values: Array
    missing: Array
    dtype: Any
    categories: tuple[Any, ...] | None = None
    ordered: bool = False


Values = list[Any] | Array


class Library(Protocol):
    """A library of frames."""

    def read(self, frame: Any, name: str) -> Cells:
        """One column of a frame."""

    def write(self, columns: Mapping[str, tuple[Values, Any]]) -> Any:
        """A frame of columns, each (values, type). None, NaN and NaT stand for missing values."""

    def frame(self, columns: Mapping[str, Values]) -> Any:
        """A frame of columns whose types the library finds itself."""

    def replace(self, frame: Any, columns: Mapping[str, tuple[Values, Any]]) -> Any:
        """A copy of a frame with these columns in the place of its own."""


class Pandas:
    """Frames of pandas."""

    def read(self, frame: Any, name: str) -> Cells:
        series = frame[name]
        dtype = series.dtype
        zoned = getattr(dtype, "tz", None) is not None  # to_numpy would give objects, not dates
        values = series.to_numpy(dtype="datetime64[ns]") if zoned else series.to_numpy()
        categories = getattr(dtype, "categories", None)
        declared = None if categories is None else tuple(categories.tolist())
        return Cells(name, values, series.isna().to_numpy(), dtype, declared, bool(getattr(dtype, "ordered", False)))

    def write(self, columns: Mapping[str, tuple[Values, Any]]) -> Any:
        import pandas

        return pandas.DataFrame({name: self._series(*column) for name, column in columns.items()})

    def frame(self, columns: Mapping[str, Values]) -> Any:
        import pandas

        return pandas.DataFrame(dict(columns))

    def replace(self, frame: Any, columns: Mapping[str, tuple[Values, Any]]) -> Any:
        return frame.assign(**{name: self._series(*column).set_axis(frame.index) for name, column in columns.items()})

    def _series(self, values: Values, dtype: Any) -> Any:
        import pandas

        if getattr(dtype, "tz", None) is not None:
            return pandas.Series(pandas.DatetimeIndex(values, tz="UTC")).astype(dtype)
        if isinstance(values, list) and None in values and getattr(dtype, "kind", "O") in "biu" and isinstance(dtype, np.dtype):
            return pandas.Series(values)  # the type has no missing values
        return pandas.Series(values, dtype=None if isinstance(values, np.ndarray) else object).astype(dtype)


class Polars:
    """Frames of polars."""

    def read(self, frame: Any, name: str) -> Cells:
        import polars

        series = frame[name]
        gaps = series.dtype.is_integer() and series.null_count()  # to_numpy would give floating-point numbers
        values = np.array(series.to_list(), dtype=object) if gaps else series.to_numpy()
        missing = series.is_null().to_numpy()
        if values.dtype.kind == "f":
            missing = missing | np.isnan(values)
        declared = tuple(series.dtype.categories.to_list()) if isinstance(series.dtype, polars.Enum) else None
        return Cells(name, values, missing, series.dtype, declared)

    def write(self, columns: Mapping[str, tuple[Values, Any]]) -> Any:
        import polars

        return polars.DataFrame([self._series(name, *column) for name, column in columns.items()])

    def frame(self, columns: Mapping[str, Values]) -> Any:
        import polars

        return polars.DataFrame(dict(columns))

    def replace(self, frame: Any, columns: Mapping[str, tuple[Values, Any]]) -> Any:
        return frame.with_columns([self._series(name, *column) for name, column in columns.items()])

    def _series(self, name: str, values: Values, dtype: Any) -> Any:
        import polars

        if not isinstance(values, np.ndarray):
            return polars.Series(name, values, dtype=dtype)
        found, zone = polars.Series(name, values), getattr(dtype, "time_zone", None)
        if zone is not None:
            found = found.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        return (found.fill_nan(None) if values.dtype.kind == "f" else found).cast(dtype)


LIBRARIES: dict[str, Library] = {"pandas": Pandas(), "polars": Polars()}


def library_of(frame: Any) -> Library:
    """The library that a frame belongs to. Raises a TypeError for what is no frame of pandas or polars."""
    found = LIBRARIES.get(type(frame).__module__.split(".")[0])
    if found is None or not hasattr(frame, "columns"):
        raise TypeError(
            f"expected a frame of pandas or polars, found {type(frame).__name__}: pandas.DataFrame(...) makes one of arrays and "
            "dictionaries, and frames that are evaluated later are collected first"
        )
    return found


def names_of(frame: Any) -> list[str]:
    """The names of a frame's columns. Raises a ValueError for a frame without rows or columns, and for names that are no strings."""
    names = list(frame.columns)
    if not names or not len(frame):
        raise ValueError(f"expected a frame with rows and columns, found {len(frame)} rows and {len(names)} columns")
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong or len(set(names)) < len(names):
        raise ValueError(f"expected columns with names of their own, all of them strings, found {names}")
    return names

"""What is kept of the data that a model was learnt from, so that other data are read by the same rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from harmonium.data import Column, Table, from_frame
from harmonium.data.column_kinds import FEW
from harmonium.data.columns import Labels, Numbers, plain
from harmonium.data.frame_libraries import library_of
from harmonium.data.readers import is_table, read
from harmonium.data.sparse import is_sparse
from harmonium.data.tables import as_tensor, numeric
from harmonium.sklearn.kinds import UNITS
from harmonium.units import NOTHING, Given, Unit


class Rows(NamedTuple):
    """Data as a machine takes them."""

    states: Any
    """(cases, units), a tensor or a sparse matrix, with NaN where a value is missing."""
    given: Given

    def pick(self, cases: Tensor) -> Rows:
        """Some of the cases."""
        return Rows(self.states[cases.numpy() if is_sparse(self.states) else cases], self.given.rows(cases))


class Encoding(Protocol):
    """How data become states of a visible layer."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of one case that is an image, and else empty."""

    @property
    def has_nats(self) -> bool:
        """Whether data have a probability: states do, grey levels that are probabilities do not."""

    def layer(self) -> Unit:
        """A new visible layer."""

    def encode(self, data: Any) -> Rows:
        """Data in the form in which they were read. Raises ValueError where they do not fit."""

    def filled(self, data: Any, states: Tensor) -> Any:
        """Data with the missing values, and only these, taken from states, (cases, units)."""

    def described(self) -> dict[str, Any]:
        """The rules as JSON."""

    def __str__(self) -> str:
        """The rules in one sentence."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """Columns that each have a kind of their own."""

    columns: tuple[Column, ...]
    image_shape: tuple[int, ...] = ()
    has_nats: bool = True

    @classmethod
    def guess(cls, frame: Any) -> Self:
        return cls(from_frame(frame).columns)

    def table(self, frame: Any) -> Table:
        """The rows of a frame, whose columns have the types of that frame."""
        empty = Table(self.columns, torch.empty(0), NOTHING, frame, library_of(frame))
        found = empty.encode(frame)
        typed = (dataclasses.replace(column, dtype=found.library.read(frame, column.name).dtype) for column in found.columns)
        return dataclasses.replace(found, columns=tuple(typed))

    def layer(self) -> Unit:
        return Table(self.columns, torch.empty(0), NOTHING, None, None).visible  # type: ignore[arg-type]

    def encode(self, data: Any) -> Rows:
        if not is_table(data):
            raise ValueError(f"the model was learnt from a table with the columns {', '.join(each.name for each in self.columns)}")
        table = self.table(data)
        return Rows(table.rows, table.given)

    def filled(self, data: Any, states: Tensor) -> Any:
        return self.table(data).filled(states)

    def described(self) -> dict[str, Any]:
        return {"columns": [{"name": each.name, **dataclasses.asdict(each.code)} for each in self.columns]}

    @classmethod
    def of(cls, described: Sequence[Mapping[str, Any]]) -> Self:
        """Of what `described` gave."""
        columns, start = [], 0
        for each in described:
            rest = {name: value for name, value in each.items() if name != "name"}
            code = Labels(rest["kind"], tuple(rest["values"])) if "values" in rest else Numbers(**rest)
            columns.append(Column(each["name"], code, start, np.dtype(object)))
            start = columns[-1].stop
        return cls(tuple(columns))

    def __str__(self) -> str:
        kinds = [column.kind for column in self.columns]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return f"{len(kinds)} columns, taken for {counted}"


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Numbers that all mean the same: `kind` is a name of `harmonium.sklearn`'s units."""

    kind: str
    units: int
    image_shape: tuple[int, ...] = ()
    missing: float | None = None
    guessed: str = ""

    @property
    def has_nats(self) -> bool:
        return self.kind not in ("bernoulli", "relu", "words")  # grey levels; no joint energy; one Z for each length of a document

    @classmethod
    def guess(cls, data: Any, kind: str | None, missing: str | None) -> Self:
        """The kind that is named, or the one that the values have."""
        try:
            gap = None if missing is None or is_table(data) else float(missing)
        except ValueError:
            raise ValueError(f"--missing takes a number for data that are no table, found {missing!r}") from None
        array = _plain(data)
        sparse = is_sparse(array)
        image = () if sparse else tuple(array.shape[1:])
        values = array.data if sparse else array
        known = values[np.isfinite(values)]
        if gap is not None:
            known = known[known != gap]
        if not known.size:
            raise ValueError("the data hold no values, only missing ones")
        found, said = _kind(known)
        if kind == "bernoulli" and found == "binary":
            kind = "binary"  # bytes of 0 and 1 are no grey levels
        units = array.shape[1] if sparse or array.ndim == 2 else int(np.prod(image, dtype=int))
        return cls(kind or found, units, image if len(image) > 1 else (), gap, "" if kind else said)

    def layer(self) -> Unit:
        return UNITS[self.kind](self.units)

    def encode(self, data: Any) -> Rows:
        array = _plain(data)
        if is_sparse(array):
            if array.shape[1] != self.units:
                raise ValueError(f"expected rows of {self.units} numbers, found {array.shape[1]}")
            return Rows(array, NOTHING)
        rows = as_tensor(array.reshape(len(array), -1))
        if rows.shape[1] != self.units:
            raise ValueError(f"expected rows of {self.units} numbers, found {rows.shape[1]}")
        gone = self._gone(rows)
        if not bool(gone.any()):
            return Rows(rows, NOTHING)
        return Rows((rows.float() / self._scale(rows)).masked_fill(gone, torch.nan), dataclasses.replace(NOTHING, missing=gone))

    def filled(self, data: Any, states: Tensor) -> Any:
        rows = as_tensor(_plain(data).reshape(len(states), -1))
        filled = torch.where(self._gone(rows), (states.double() * self._scale(rows)).to(rows), rows)
        return filled.reshape(np.shape(_plain(data))).numpy()

    def described(self) -> dict[str, Any]:
        return {"matrix": dataclasses.asdict(self)}

    def _gone(self, rows: Tensor) -> Tensor:
        gone = rows.isnan()
        return gone if self.missing is None else gone | (rows == self.missing)

    def _scale(self, rows: Tensor) -> float:
        return 255.0 if rows.dtype == torch.uint8 and self.kind == "bernoulli" else 1.0

    def __str__(self) -> str:
        return f"{self.units} numbers, taken for {self.guessed or self.kind}" + (f": --visible {self.kind}" if self.guessed else "")


def encoding(data: Any, kind: str | None, missing: str | None) -> Encoding:
    """The rules for new data: of each column of a table, if no kind is named, and else of all numbers."""
    if kind is not None and kind not in UNITS:
        raise ValueError(f"--visible takes one of {', '.join(UNITS)}, found {kind!r}")
    return Columns.guess(data) if is_table(data) and kind is None else Matrix.guess(data, kind, missing)


def described_encoding(found: Mapping[str, Any]) -> Encoding:
    """The rules that a run keeps. Raises KeyError or TypeError where they are none."""
    if "columns" in found:
        return Columns.of(found["columns"])
    kept = found["matrix"]
    return Matrix(**{**kept, "image_shape": tuple(kept["image_shape"])})


def cells_of(data: Any, name: str) -> list[Any]:
    """One column of a table, None where a value is missing. Raises ValueError if there is no such column."""
    names = list(data.columns)
    if name not in names:
        raise ValueError(f"there is no column {name!r}, only {', '.join(names)}")
    cells = library_of(data).read(data, name)
    values = (None if gone else plain(value) for value, gone in zip(cells.values, cells.missing, strict=True))
    return [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]


def labels_of(data: Any, where: str) -> tuple[list[Any], Any]:
    """The labels of a column or file, and the data without them."""
    names = list(getattr(data, "columns", ()))
    if where in names:
        found, rest = cells_of(data, where), without(data, [where])
    elif Path(where).is_file():
        table = read(Path(where))
        if hasattr(table, "columns"):
            found, rest = cells_of(table, list(table.columns)[-1]), data
        else:
            found, rest = table.reshape(-1).tolist(), data
    else:
        raise ValueError(
            f"--labels names a column or a file, and {where!r} is neither" + (f" (columns: {', '.join(names)})" if names else "")
        )
    blank = next((row for row, label in enumerate(found) if label is None or label != label), None)
    if blank is not None:
        raise ValueError(f"row {blank} of {where} holds no label")
    return found, rest


def without(data: Any, names: Sequence[str], *, known: bool = True) -> Any:
    """A table without some of its columns. Raises ValueError, if they are to be `known`, for a column that it does not have."""
    columns = list(data.columns) if is_table(data) else []
    absent = [name for name in names if name not in columns]
    if known and absent:
        raise ValueError(f"there is no column {absent[0]!r}" + (f", only {', '.join(columns)}" if columns else ": the data are no table"))
    return data[[each for each in columns if each not in names]] if len(absent) < len(names) else data


def _plain(data: Any) -> Any:
    """A table's columns as one array, and other data as they are."""
    if is_table(data):
        library = library_of(data)
        cells = [library.read(data, name) for name in data.columns]
        columns = [numeric(np.where(each.missing, np.nan, each.values), f"column {each.name!r}") for each in cells]
        return np.column_stack(columns)
    return data if is_sparse(data) or data.ndim > 1 else data[:, None]


def _kind(known: np.ndarray[Any, Any]) -> tuple[str, str]:
    """The kind of numbers, and what it is called. All are finite, and there is one."""
    if known.dtype == bool or np.isin(known, (0, 1)).all():
        return "binary", "binary"
    if known.dtype == np.uint8:
        return "bernoulli", "grey levels from 0 to 255"
    low, high = known.min(), known.max()
    if low >= 0 and (known == np.round(known)).all() and known.mean() <= FEW:
        return "poisson", "counts"
    if low >= 0 and high <= 1:
        return "bernoulli", "probabilities or grey levels from 0 to 1"
    return "gaussian", "real numbers"

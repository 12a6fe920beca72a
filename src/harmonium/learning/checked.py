"""Rows that are checked when they are visited, because they may be too many to read before learning begins."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from harmonium.data.batches import Numbered
from harmonium.data.tables import as_tensor


class Checks(Protocol):
    """What knows which rows are data: a layer's units, or the visible units of a net."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""

    def check(self, data: Tensor) -> None:
        """Raises a ValueError for rows, (cases, *shape), that are no data."""


def is_mapped(data: object) -> bool:
    """Whether an array lies in a memory map, so that reading all of it may take minutes."""
    while data is not None and not isinstance(data, np.memmap | mmap.mmap):
        data = getattr(data, "base", None)
    return data is not None


def visited(source: Numbered, indices: Tensor, generator: torch.Generator) -> Tensor:
    """The rows of a source with these numbers, (len(indices), ...), as a tensor. Raises ValueError for another number of rows."""
    rows = as_tensor(source.rows(indices, generator))
    if rows.shape[:1] != (len(indices),):
        raise ValueError(f"a source gives a row for each number: asked for {len(indices)}, it gave an array of shape {tuple(rows.shape)}")
    return rows


class CheckedRows:
    """Rows of a source, checked at each visit, except for gaps; then converted.

    Rows on a GPU are not checked, because the check would wait for it.

    Parameters
    ----------
    source : Numbered
        The rows in their own type, (cases, *shape).
    visible : Checks
        What they are checked against.
    convert : callable
        Applied to each batch after its check.
    filled : callable, optional
        (rows, their numbers) -> the rows with data in their gaps, for the check.
    """

    def __init__(
        self,
        source: Numbered,
        visible: Checks,
        convert: Callable[[Tensor], Tensor],
        filled: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self.source, self.visible, self.convert, self.filled = source, visible, convert, filled

    def __len__(self) -> int:
        return len(self.source)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The rows with these numbers. Raises ValueError that names a row that is no data."""
        rows = visited(self.source, indices, generator)
        if rows.device.type == "cpu":
            filled = rows if self.filled is None else self.filled(rows, indices)
            try:
                self.visible.check(filled)
            except ValueError as error:
                raise ValueError(self._named(filled, indices) or str(error)) from error
        return self.convert(rows)

    def _named(self, rows: Tensor, indices: Tensor) -> str | None:
        """The message about the first row that fails alone, with its number."""
        if rows.shape != (len(indices), *self.visible.shape):
            return None
        for number, row in zip(indices.tolist(), rows, strict=True):
            try:
                self.visible.check(row[None])
            except ValueError as error:
                return f"{error} (row {number} of the data)"
        return None

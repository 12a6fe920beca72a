"""Rows that are checked when they are visited, because they may be too many to read before learning begins."""

from __future__ import annotations

import mmap
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from harmonium.data.batches import Numbered
from harmonium.sampling.gaps import fill, gaps
from harmonium.units import Given, Unit


class Beside(Protocol):
    """What is given of each case."""

    def rows(self, indices: Tensor) -> Given: ...


def is_mapped(data: object) -> bool:
    """Whether an array lies in a memory map, so that reading all of it may take minutes."""
    while data is not None and not isinstance(data, np.memmap | mmap.mmap):
        data = getattr(data, "base", None)
    return data is not None


class CheckedRows:
    """Rows of a source, checked at each visit against the units' support, except for gaps; then converted.

    Rows on a GPU are not checked, because the check would wait for it.

    Parameters
    ----------
    source : Numbered
        The rows in their own type, (cases, *shape).
    visible : Unit
        The units.
    given : Beside, optional
        What is given of each case.
    convert : callable
        Applied to each batch after its check.
    """

    def __init__(self, source: Numbered, visible: Unit, given: Beside | None, convert: Any) -> None:
        self.source, self.visible, self.given, self.convert = source, visible, given, convert

    def __len__(self) -> int:
        return len(self.source)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The rows with these numbers. Raises ValueError that names a row outside the support."""
        rows: Tensor = self.source.rows(indices, generator)
        if rows.device.type == "cpu":
            filled = fill(self.visible, rows, None if self.given is None else gaps(self.given.rows(indices)))
            try:
                self.visible.check(filled)
            except ValueError as error:
                raise ValueError(self._named(filled, indices) or str(error)) from error
        found: Tensor = self.convert(rows)
        return found

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

"""Rows of several arrays as the rows of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harmonium.data.tables import native


class Joined:
    """Rows of several arrays, such as memory maps of files, by one number: they are read when they are asked for.

    Parameters
    ----------
    parts : sequence of numpy.ndarray
        Arrays (rows, *shape) of one type, whose rows have one shape.

    Raises
    ------
    ValueError
        For no array, and for arrays of rows that differ.

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.data.joined import Joined
    >>> rows = Joined([np.zeros((3, 2)), np.ones((4, 2))])
    >>> rows.shape, rows[2:5].tolist(), rows[[6, 0]].tolist()
    ((7, 2), [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]])
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        kinds = {(part.shape[1:], part.dtype) for part in parts}
        if len(kinds) != 1:
            raise ValueError(f"arrays of one type, with rows of one shape, can be joined, found {sorted(map(str, kinds))}")
        self.parts = list(parts)
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all rows: (rows, *shape)."""
        return (len(self), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values."""
        return self.parts[0].dtype

    def __getitem__(self, numbers: slice | Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        """The rows of a slice, or with these numbers, as an array in memory. IndexError for a number that no row has."""
        chosen = np.arange(len(self))[numbers]
        if chosen.ndim != 1:
            raise IndexError("rows are chosen by a slice or by a list of numbers")
        found = np.empty((len(chosen), *self.shape[1:]), self.dtype)
        places = np.searchsorted(self.ends, chosen, side="right")
        for place in np.unique(places):
            here = np.flatnonzero(places == place)
            found[here] = self.parts[place][chosen[here] - (self.ends[place] - len(self.parts[place]))]
        return found

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The rows with these numbers, (len(indices), *shape): what makes it a source."""
        return torch.from_numpy(native(self[indices.numpy()]))

"""The history of training in a checkpoint: its figures as one tensor, and the names of each kind of row as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

VALUES, KINDS, FIGURES = "history.values", "history.kinds", "history.figures"
Rows = list[dict[str, float]]


def packed(history: Rows) -> tuple[dict[str, Tensor], Any]:
    """The figures of all rows, float64, their number, the kind of each row, int32; and for each kind the names of its figures.

    A checkpoint is written anew each epoch, and as JSON every row would repeat its names. Rows in which a callback wrote something other
    than a float are left as they are, and become JSON. Figures and kinds have room for some more, filled with zeros and with the kind -1:
    the writer of files keeps some memory for each size that it has met, so there are to be few.
    """
    if not set(map(type, _figures(history))) <= {float}:
        return {}, history
    names = list(map(tuple, history))
    numbers = {each: number for number, each in enumerate(dict.fromkeys(names))}
    figures, kinds = np.fromiter(_figures(history), np.float64), np.fromiter(map(numbers.__getitem__, names), np.int32)
    tensors = {VALUES: _with_room(figures, 0), FIGURES: torch.tensor(len(figures)), KINDS: _with_room(kinds, -1)}
    return tensors, [list(each) for each in numbers]


def _with_room(numbers: npt.NDArray[Any], filler: int) -> Tensor:
    padded = np.full(room(len(numbers)), filler, numbers.dtype)
    padded[: len(numbers)] = numbers
    return torch.from_numpy(padded)


def room(count: int) -> int:
    """The size of a tensor of so many numbers: the next of the sizes that there are, eight between a power of two and the next."""
    step = max(8, 1 << max(0, count.bit_length() - 4))
    return -(-count // step) * step


def _figures(history: Rows) -> Iterator[float]:
    return chain.from_iterable(map(dict.values, history))


def unpacked(tensors: Mapping[str, Tensor], header: Any) -> Rows:
    """What `packed` was given. Files of earlier versions have JSON alone. Raises a TypeError for what is no history."""
    if not isinstance(header, list):
        raise TypeError(f"history is {header!r}")
    if KINDS not in tensors:
        return header
    kinds, values = [header[kind] for kind in tensors[KINDS].tolist() if kind != -1], tensors[VALUES].tolist()
    count = int(tensors[FIGURES]) if FIGURES in tensors else len(values)  # earlier files have no room
    if sum(map(len, kinds)) != count or count > len(values):
        raise TypeError(f"history has {len(values)} figures, by its own count {count}, for {sum(map(len, kinds))} names")
    figures = iter(values)
    return [{name: next(figures) for name in names} for names in kinds]

"""The history of training in a checkpoint: its figures as one tensor, and the names of each kind of row as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

VALUES, KINDS = "history.values", "history.kinds"
Rows = list[dict[str, float]]


def packed(history: Rows) -> tuple[dict[str, Tensor], Any]:
    """The figures of all rows, (figures,) float64, the kind of each row, (rows,) int32; and for each kind the names of its figures.

    A checkpoint is written anew each epoch, and as JSON every row would repeat its names. Rows in which a callback wrote something other
    than a float are left as they are, and become JSON.
    """
    if not set(map(type, _figures(history))) <= {float}:
        return {}, history
    names = list(map(tuple, history))
    numbers = {each: number for number, each in enumerate(dict.fromkeys(names))}
    figures, kinds = np.fromiter(_figures(history), np.float64), np.fromiter(map(numbers.__getitem__, names), np.int32)
    return {VALUES: torch.from_numpy(figures), KINDS: torch.from_numpy(kinds)}, [list(each) for each in numbers]


def _figures(history: Rows) -> Iterator[float]:
    return chain.from_iterable(map(dict.values, history))


def unpacked(tensors: Mapping[str, Tensor], header: Any) -> Rows:
    """What `packed` was given. Files of earlier versions have JSON alone. Raises a TypeError for what is no history."""
    if not isinstance(header, list):
        raise TypeError(f"history is {header!r}")
    if KINDS not in tensors:
        return header
    kinds, values = [header[kind] for kind in tensors[KINDS].tolist()], tensors[VALUES].tolist()
    if sum(map(len, kinds)) != len(values):
        raise TypeError(f"history has {len(values)} figures for {sum(map(len, kinds))} names")
    figures = iter(values)
    return [{name: next(figures) for name in names} for names in kinds]

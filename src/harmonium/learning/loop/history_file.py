"""The history of training in a checkpoint: its figures as one tensor, and the names of each kind of row as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

VALUES, KINDS = "history.values", "history.kinds"
Rows = list[dict[str, float]]


def packed(history: Rows) -> tuple[dict[str, Tensor], Any]:
    """The figures of all rows, (figures,) float64, the kind of each row, (rows,) int32; and for each kind the names of its figures.

    A checkpoint is written anew each epoch, and as JSON every row would repeat its names. Rows in which a callback wrote something other
    than a float are left as they are, and become JSON.
    """
    if not all(type(value) is float for row in history for value in row.values()):
        return {}, history
    kinds = {names: number for number, names in enumerate(dict.fromkeys(map(tuple, history)))}
    figures = torch.tensor([value for row in history for value in row.values()], dtype=torch.float64)
    return {VALUES: figures, KINDS: torch.tensor([kinds[tuple(row)] for row in history], dtype=torch.int32)}, [list(each) for each in kinds]


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

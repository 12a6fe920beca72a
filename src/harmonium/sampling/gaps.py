"""Gaps in the data: where they are, and which values stand in them until they are filled."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from harmonium.data import Table
from harmonium.data.tables import as_tensor
from harmonium.units import Given, Groups, PooledBlocks, Softmax, Unit


def gaps(given: Given) -> Tensor | None:
    """Where visible units are absent or values are missing, as booleans. None if no mask is given."""
    if given.missing is not None:
        return given.missing.bool()
    return None if given.present is None else ~given.present.bool()


def folded(unit: Unit, values: Tensor) -> Tensor:
    """Values reshaped to the layer's shape, where their last axes have as many units. For example images for a layer of one axis.

    Values that have the layer's shape are returned unchanged. So are values that do not fit.
    """
    if tuple(values.shape[values.dim() - len(unit.shape) :]) == unit.shape:
        return values
    for axes in range(1, values.dim() + 1):
        if math.prod(values.shape[-axes:]) == math.prod(unit.shape):
            return values.reshape(*values.shape[:-axes], *unit.shape)
    return values


def check_mask(unit: Unit, mask: Tensor, name: str) -> None:
    """Raises a ValueError unless the mask fits the layer and takes each choice whole.

    A mask has the shape (*leading, *unit.shape) and holds zeros and ones. The categories of a softmax group are absent or missing together.
    The units of a pooled block are missing together. Single units of a block may be absent, which makes the block smaller.
    """
    shape = unit.shape
    if tuple(mask.shape[mask.dim() - len(shape) :]) != shape:
        raise ValueError(
            f"the mask {name} must have the shape of the states, (..., {', '.join(map(str, shape))}), found {tuple(mask.shape)}"
        )
    if mask.dtype != torch.bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"the mask {name} must hold booleans, or ones and zeros, found other values")
    _check_choices(unit, mask, name)


def _check_choices(unit: Unit, mask: Tensor, name: str) -> None:
    if isinstance(unit, Groups):
        for part, piece in zip(unit.layers(), unit.split(mask), strict=True):
            _check_choices(part, piece, name)
    elif isinstance(unit, Softmax):
        _check_together(unit.grouped(mask).movedim(-1, 0), f"the mask {name} must take all categories of a softmax group or none")
    elif isinstance(unit, PooledBlocks) and name == "missing":
        _check_together(unit.blocks(mask), f"the mask {name} must take all units of a block or none")


def _check_together(choices: Tensor, message: str) -> None:
    """Raises a ValueError unless the units of each choice agree. `choices`: (units of one choice, ...)."""
    cut = int((choices != choices[:1]).any(0).sum())
    if cut:
        raise ValueError(f"{message}, found {cut} that it takes in part")


@torch.no_grad()
def fill(unit: Unit, states: Tensor, where: Tensor | None) -> Tensor:
    """The states, (*leading, *shape), with a valid value in every gap. What stood there is never read, NaN included."""
    if where is None:
        return states
    word = Given(length=unit.zero_input().new_ones(()))  # for documents, which have no state without a length
    return torch.where(where.to(states.device), unit.mode(unit.zero_input(), word).to(states), states)


def rows_with_gaps(visible: Unit, data: Any, missing: Any) -> tuple[Tensor, Tensor, Table | None]:
    """Rows of any form whose gaps are filled, where the gaps are, and the table, if the rows came as one.

    `missing`: true where values are missing, (cases, *shape) or (*shape); by default where they are NaN. Wrong shapes raise a ValueError.
    """
    table = data if isinstance(data, Table) else None
    v, device = as_tensor(data if table is None else table.rows), visible.zero_input().device
    if v.shape[1:] != visible.shape or not len(v):
        raise ValueError(f"expected rows of shape (cases, {', '.join(map(str, visible.shape))}), at least one, found {tuple(v.shape)}")
    where = (v.isnan() if missing is None else as_tensor(missing)).to(device)
    check_mask(visible, where, "missing")
    where = where.bool().expand(v.shape)
    return fill(visible, v.to(device), where), where, table


def blocks_with_gaps(missing: Tensor, size: int) -> tuple[Tensor, ...]:
    """The numbers of the cases that lack a value, at most `size` of them (at least one) in each block. `missing`: (cases, *shape)."""
    gapped = missing.flatten(1).any(1).nonzero().squeeze(1)
    return torch.split(gapped, max(1, size)) if len(gapped) else ()

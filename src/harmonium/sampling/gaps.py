"""Places of the data that hold no value: which they are, and what stands there meanwhile."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.units import Given, Groups, PooledBlocks, Softmax, Unit


def gaps(given: Given | None) -> Tensor | None:
    """Where the visible units are absent or their values missing, as booleans; None where nothing says so."""
    if given is None or (given.present is None and given.missing is None):
        return None
    return given.missing.bool() if given.missing is not None else ~given.present.bool()  # type: ignore[union-attr]


def folded(unit: Unit, values: Tensor) -> Tensor:
    """Values whose last axes are other ones of as many units, as of images for a layer of one axis, in the layer's own shape.

    Values of the shape of the layer, and those that fit it in no way, stay as they are.
    """
    if tuple(values.shape[values.dim() - len(unit.shape) :]) == unit.shape:
        return values
    for axes in range(1, values.dim() + 1):
        if math.prod(values.shape[-axes:]) == math.prod(unit.shape):
            return values.reshape(*values.shape[:-axes], *unit.shape)
    return values


def check_mask(unit: Unit, mask: Tensor, name: str) -> None:
    """Raises a ValueError unless the mask, (*leading, *unit.shape), is of zeros and ones and takes units that are one choice together.

    The categories of a softmax group are absent or missing together. So are the missing units of a pooled block; where single ones of
    these are absent the block is a smaller one.
    """
    shape = unit.shape
    if tuple(mask.shape[mask.dim() - len(shape) :]) != shape:
        raise ValueError(
            f"the mask {name} must have the shape of the states, (..., {', '.join(map(str, shape))}), found {tuple(mask.shape)}"
        )
    if mask.dtype != torch.bool and not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(f"the mask {name} must be of true and false, or of ones and zeros, found other values")
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
    """`choices`: (units of one choice, ...)."""
    cut = int((choices != choices[:1]).any(0).sum())
    if cut:
        raise ValueError(f"{message}, found {cut} of which it takes a part")


@torch.no_grad()
def fill(unit: Unit, states: Tensor, where: Tensor | None) -> Tensor:
    """The states, (*leading, *shape), with one that the unit may take in every gap: what stands there, NaN included, is never read."""
    if where is None:
        return states
    word = Given(length=unit.zero_input().new_ones(()))  # for documents, which have no state without a length
    return torch.where(where.to(states.device), unit.mode(unit.zero_input(), word).to(states), states)

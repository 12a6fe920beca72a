"""Checks of states, with errors that say what was expected and found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from harmonium.units.unit import Unit


def check_finite(name: str, states: Tensor) -> None:
    """Raises a ValueError with the number of NaN or infinite values, if there are any."""
    if states.is_floating_point() and not bool(torch.isfinite(states).all()):
        bad = int((~torch.isfinite(states)).sum())
        raise ValueError(
            f"{name} units expect finite numbers, found {bad} NaN or infinite value{'s' * (bad > 1)}; "
            "fill or drop those cases, or mark the places as absent with given=Given(present=...)"
        )


def no_joint(unit: Unit, what: str) -> TypeError:
    """The TypeError for units whose conditional belongs to no joint energy."""
    return TypeError(
        f"{type(unit).__name__} units have no joint energy, so {what} does not exist; "
        "TruncatedGaussian and SteppedSigmoid are rectified units with a joint energy"
    )


def check_shape(name: str, states: Tensor, shape: tuple[int, ...]) -> None:
    """Raises a ValueError unless the states are (*leading, *shape) with at least one case; a TypeError unless they are a tensor."""
    if not isinstance(states, Tensor):
        raise TypeError(f"{name} units expect states as a tensor, found {type(states).__name__}: torch.as_tensor makes one of an array")
    if tuple(states.shape[states.dim() - len(shape) :]) != shape or states.dim() < len(shape):
        raise ValueError(f"{name} units expect states of shape (..., {', '.join(map(str, shape))}), found {tuple(states.shape)}")
    if states.numel() == 0:
        raise ValueError(f"{name} units expect at least one case, found an empty array of shape {tuple(states.shape)}")


def as_number(value: Any) -> float:
    """A float, or NaN of what is no number, text included."""
    try:
        return math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        return math.nan

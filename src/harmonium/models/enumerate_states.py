"""All joint states of a layer that is small enough to enumerate."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.units import Unit


def enumerate_states(unit: Unit, most: int, what: str) -> Tensor:
    """The joint states of a layer in the order of their numbers: (unit.count, *unit.shape), of the layer's dtype.

    Raises a ValueError for more than `most` states. Its message begins with `what`.
    """
    if unit.count > most:
        found = "infinitely many" if math.isinf(unit.count) else f"2^{math.log2(unit.count):.4g}"
        raise ValueError(f"{what} enumerates all states of a layer, at most 2^{math.log2(most):.0f}, found {found}")
    return unit.states(torch.arange(int(unit.count), device=unit.zero_input().device))

"""Units by short name, and what kind of units a matrix of data needs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from harmonium.units import (
    Bernoulli,
    Exponential,
    Gaussian,
    NoisyReLU,
    Poisson,
    ReplicatedSoftmax,
    Spin,
    SteppedSigmoid,
    TruncatedGaussian,
    Unit,
)

Kind = str | Unit | Callable[[int], Unit]

UNITS: dict[str, Callable[[int], Unit]] = {
    "bernoulli": partial(Bernoulli, values="probabilities"),
    "binary": Bernoulli,
    "spin": Spin,
    "gaussian": Gaussian,
    "relu": NoisyReLU,
    "stepped": SteppedSigmoid,
    "truncated": TruncatedGaussian,
    "exponential": Exponential,
    "poisson": Poisson,
    "words": ReplicatedSoftmax,
}


def unit_of(kind: Kind, size: int) -> Unit:
    """A new layer of `size` units: of a name in `UNITS`, as `kind(size)`, or a copy of a layer.

    Raises a ValueError for anything else, and for a layer of another size.
    """
    if isinstance(kind, str) and kind in UNITS:
        return UNITS[kind](size)
    if not isinstance(kind, Unit) and not callable(kind):
        raise ValueError(f"units are one of {', '.join(UNITS)}, a layer of units, or a function of their number, found {kind!r}")
    unit = copy.deepcopy(kind) if isinstance(kind, Unit) else kind(size)
    if math.prod(unit.shape) != size:
        raise ValueError(f"the layer has {math.prod(unit.shape)} units, and {size} are needed")
    return unit


def kind_of(X: Any, states: bool = False) -> str:
    """What `visible="auto"` stands for: units whose values the entries of a matrix may be.

    Numbers from 0 to 1, booleans and bytes (levels / 255) are probabilities of binary units; all others are real. Where only states have a
    meaning (`states`), as for a density, numbers between 0 and 1 are real too. NaN is passed over.
    """
    values = X.data if hasattr(X, "tocsr") else X
    if values.dtype in (np.uint8, bool):
        return "bernoulli" if not states else "binary"
    known = values[~np.isnan(values)] if np.isnan(values).any() else values
    if known.size and (known.min() < 0 or known.max() > 1):
        return "gaussian"
    if not states:
        return "bernoulli"
    return "binary" if np.isin(known, (0, 1)).all() else "gaussian"

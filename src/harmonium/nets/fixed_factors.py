"""Inputs times constants."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FixedFactors(nn.Module):
    """Multiplies each of so many inputs by a constant, such as a real-valued pixel by one over its variance.

    Parameters
    ----------
    units : int
        The number of inputs.

    Attributes
    ----------
    factor : torch.Tensor
        (units), one at first. It does not learn.

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import FixedFactors
    >>> FixedFactors(3)(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    factor: Tensor

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.register_buffer("factor", torch.ones(units))

    def forward(self, input: Tensor) -> Tensor:
        return input * self.factor

    def extra_repr(self) -> str:
        return str(self.units)

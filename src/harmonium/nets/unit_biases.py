"""A bias for each unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UnitBiases(nn.Module):
    """Adds a bias of its own to each of so many inputs, such as to each position of a convolution.

    Parameters
    ----------
    units : int
        Their number.

    Attributes
    ----------
    bias : torch.nn.Parameter
        (units), zero at first.

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import UnitBiases
    >>> UnitBiases(3)(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, input: Tensor) -> Tensor:
        return input + self.bias

    def extra_repr(self) -> str:
        return str(self.units)

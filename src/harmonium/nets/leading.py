"""Modules of the first inputs, beside which the others pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Leading(nn.Sequential):
    """Applies its modules to the first inputs of each case, and hands on the others unchanged behind their outputs.

    Parameters
    ----------
    inputs : int
        The number of inputs that the modules take.
    *modules : torch.nn.Module
        The modules, one after another.

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import Leading
    >>> Leading(4, torch.nn.Linear(4, 3))(torch.ones(2, 6)).shape
    torch.Size([2, 5])
    """

    def __init__(self, inputs: int, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.inputs = inputs

    def forward(self, input: Tensor) -> Tensor:
        found = input[..., : self.inputs]
        for module in self:
            found = module(found)
        return torch.cat([found, input[..., self.inputs :]], dim=-1)

    def extra_repr(self) -> str:
        return f"inputs={self.inputs}"

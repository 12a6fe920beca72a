"""What a net knows of its data: the visible units that it was made of."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from harmonium.units import Unit


class Visible(nn.Module):
    """Data as states of a layer's units: the module that a net made of a trained stack begins with.

    `unit`: the layer, of which a copy is kept. What it was told of its data holds for the net: bytes are 0 and 1 for `Bernoulli(...)` and
    grey levels, level / 255, for `Bernoulli(..., values="probabilities")`. (cases, units) of any type -> (cases, units) floats. Floating
    point inputs pass as they are, so that the net can be differentiated in them and takes means; others are checked against the units'
    support (ValueError). `fine_tune` and `predict` check floats too.
    """

    unit: Unit
    like: Tensor

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        # Neither is part of the net's state: the unit is no submodule, and the buffer only says which type and device the net has.
        self.__dict__["unit"] = copy.deepcopy(unit)
        self.register_buffer("like", torch.empty(0, dtype=unit.zero_input().dtype, device=unit.zero_input().device), persistent=False)

    @property
    def width(self) -> int:
        """How many inputs a case has."""
        return math.prod(self.unit.shape)

    def check(self, data: Tensor) -> None:
        """Raises a ValueError that says what was expected and found unless these are data, (cases, units), of the layer."""
        if data.dim() != 2 or data.shape[1] != self.width or len(data) == 0:
            raise ValueError(f"expected inputs of shape (cases, {self.width}), at least one case, found {tuple(data.shape)}")
        self.unit.check(data.reshape(len(data), *self.unit.shape))

    def states(self, data: Tensor) -> Tensor:
        """Data that `check` passed as floats of the net's type, on its device: (cases, units)."""
        return self.unit.from_data(data.reshape(len(data), *self.unit.shape), self.like).flatten(1)

    def forward(self, input: Tensor) -> Tensor:
        if input.is_floating_point():
            return input
        self.check(input)
        return self.states(input)

    def extra_repr(self) -> str:
        return repr(self.unit)


def after_visible(unit: Unit, *modules: nn.Module) -> nn.Sequential:
    """`Visible(unit)` and the modules, which keep the names 0, 1, ... that they have without it: either loads the other's weights."""
    named = {str(number): module for number, module in enumerate(modules)}
    return nn.Sequential(OrderedDict(visible=Visible(unit), **named))


def visible_of(net: nn.Module) -> Visible | None:
    """What the net knows of its data, if anything."""
    return next((module for module in net.modules() if isinstance(module, Visible)), None)

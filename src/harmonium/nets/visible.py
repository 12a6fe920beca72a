"""The visible units of a net, which define what its data mean."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from harmonium.units import Unit


class Visible(nn.Module):
    """Converts data to states of a layer's units: the first module of a net made from a trained stack.

    What the layer declares about its data holds for the net: bytes are 0 and 1 for `Bernoulli(...)`, and grey levels, level / 255, for
    `Bernoulli(..., values="probabilities")`. It maps (cases, units) of any type to (cases, units) floats. Floating-point inputs pass
    unchanged, so that the net can be differentiated with respect to them and accepts means. Others are checked against the units' support.
    `fine_tune` and `predict` check floats too.

    Parameters
    ----------
    unit : Unit
        The layer, of which a copy is kept.
    leading : tuple of int, optional
        Axes of a case before that of the units, where it holds the data of several layers: (2,) for pairs, (cases, 2, units).

    Raises
    ------
    ValueError
        When called, for inputs outside the units' support that are not floats. A net that was exported does not check its inputs.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> grey = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    >>> hm.nets.Visible(hm.Bernoulli(3, values="probabilities"))(grey)
    tensor([[0.0000, 0.2000, 1.0000]])
    >>> hm.nets.Visible(hm.Bernoulli(3))(torch.tensor([[0, 1, 1]]))
    tensor([[0., 1., 1.]])
    """

    unit: Unit
    like: Tensor

    def __init__(self, unit: Unit, leading: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.leading = leading
        # Neither is part of the net's state: the unit is not a submodule, and the buffer only records the type and device of the net.
        self.__dict__["unit"] = copy.deepcopy(unit)
        self.register_buffer("like", torch.empty(0, dtype=unit.zero_input().dtype, device=unit.zero_input().device), persistent=False)

    @property
    def width(self) -> int:
        """The number of inputs of a case."""
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a case's inputs."""
        return (*self.leading, math.prod(self.unit.shape))

    def check(self, data: Tensor) -> None:
        """Raises a ValueError that states what was expected and found, unless `data` are data of the layer, (cases, *shape)."""
        if data.shape[1:] != self.shape or len(data) == 0:
            expected = ", ".join(map(str, self.shape))
            raise ValueError(f"expected inputs of shape (cases, {expected}), at least one case, found {tuple(data.shape)}")
        self.unit.check(data.reshape(-1, *self.unit.shape))

    def states(self, data: Tensor) -> Tensor:
        """Data that passed `check` as floats of the net's type, on its device: (cases, *shape)."""
        return self.unit.from_data(data.reshape(-1, *self.unit.shape), self.like).reshape(-1, *self.shape)

    def forward(self, input: Tensor) -> Tensor:
        if input.is_floating_point():
            return input
        if not torch.compiler.is_compiling():  # an exported net has no errors of its own
            self.check(input)
        return self.states(input)

    def extra_repr(self) -> str:
        return repr(self.unit) + (f", leading={self.leading}" if self.leading else "")


def after_visible(unit: Unit, *modules: nn.Module, leading: tuple[int, ...] = ()) -> nn.Sequential:
    """`Visible(unit, leading)` followed by the modules.

    The modules keep the names 0, 1, ... that they have without it, so that either net loads the other's weights.
    """
    named = {str(number): module for number, module in enumerate(modules)}
    return nn.Sequential(OrderedDict(visible=Visible(unit, leading), **named))


def visible_of(net: nn.Module) -> Visible | None:
    """The `Visible` module of a net, or None."""
    return next((module for module in net.modules() if isinstance(module, Visible)), None)

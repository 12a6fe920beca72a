"""Every visible unit connected to every hidden unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import Coupling, as_shape, rows
from harmonium.couplings.products import add_product, times
from harmonium.units import NOTHING, Given


class Dense(Coupling):
    """A matrix of weights that connects every visible unit to every hidden unit.

    Parameters
    ----------
    visible, hidden : int or sequence of int
        Sizes or shapes of the statistics; shapes are flattened by the matrix.
    scale : float
        The standard deviation of the initial weights, drawn from N(0, scale²); 0.01 follows Hinton's guide (2010, section 8).
    seed : int
        The seed of the coupling's own generator.

    Attributes
    ----------
    weight : torch.nn.Parameter
        W, (visible, hidden), of flattened sizes.

    Notes
    -----
    The interaction is s_v' W s_h.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> coupling = hm.Dense(3, 2, seed=1)
    >>> coupling.weight.shape
    torch.Size([3, 2])
    >>> coupling.to_hidden(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    >>> rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2), coupling)
    """

    def __init__(self, visible: int | Sequence[int], hidden: int | Sequence[int], *, scale: float = 0.01, seed: int = 0) -> None:
        super().__init__()
        self.visible, self.hidden = as_shape(visible), as_shape(hidden)
        weight = torch.empty(math.prod(self.visible), math.prod(self.hidden))
        self.weight = nn.Parameter(weight.normal_(std=scale, generator=torch.Generator().manual_seed(seed)))

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        input = times(s_v.flatten(s_v.dim() - len(self.visible)), self.weight)
        return input if len(self.hidden) == 1 else input.reshape(*input.shape[:-1], *self.hidden)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        input = times(s_h.flatten(s_h.dim() - len(self.hidden)), self.weight, transposed=True)
        return input if len(self.visible) == 1 else input.reshape(*input.shape[:-1], *self.visible)

    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        add_product(self.weight, rows(s_v, self.visible), rows(s_h, self.hidden), weights=weights, scale=scale, fresh=fresh)

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        return {"weight": (visible[:, None] if isinstance(visible, Tensor) else visible) * hidden}

    def arguments(self) -> dict[str, object]:
        return {"visible": self.visible, "hidden": self.hidden}

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]} x {self.weight.shape[1]}"

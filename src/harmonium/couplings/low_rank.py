"""Every visible unit connected to every hidden unit through a few factors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import Coupling, as_shape, rows
from harmonium.couplings.products import add_product, times
from harmonium.units import NOTHING, Given


class LowRank(Coupling):
    """A matrix of weights W = A B of low rank, which is never formed.

    Parameters
    ----------
    visible, hidden : int or sequence of int
        Sizes or shapes of the statistics; shapes are flattened by the matrices.
    rank : int
        The number of factors, at least 1.
    scale : float
        The standard deviation of each initial weight of W; positive. A and B are drawn from normal distributions of one width.
    seed : int
        The seed of the coupling's own generator.

    Attributes
    ----------
    left : torch.nn.Parameter
        A, (visible, rank).
    right : torch.nn.Parameter
        B, (rank, hidden).

    Raises
    ------
    ValueError
        For a rank below 1, and for a `scale` of zero, where the gradient is zero.

    Notes
    -----
    The interaction is (s_v' A)(B s_h) (Salakhutdinov, Mnih & Hinton 2007, section 6, doi:10.1145/1273496.1273596). Weight cost acts on A
    and B, not on W.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> coupling = hm.LowRank(1000, 500, rank=5)
    >>> sum(parameter.numel() for parameter in coupling.parameters())
    7500
    >>> coupling.to_hidden(torch.ones(2, 1000)).shape
    torch.Size([2, 500])
    """

    def __init__(self, visible: int | Sequence[int], hidden: int | Sequence[int], *, rank: int, scale: float = 0.01, seed: int = 0) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"a low-rank coupling has a rank of at least 1, found {rank}")
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(
                f"the weights of a low-rank coupling start at a scale above 0, because the gradient is zero at A = B = 0, found {scale}"
            )
        self.visible, self.hidden, self.rank = as_shape(visible), as_shape(hidden), rank
        generator = torch.Generator().manual_seed(seed)
        width = math.sqrt(scale / math.sqrt(rank))  # rank terms of variance width⁴ make scale²
        self.left = nn.Parameter(torch.empty(math.prod(self.visible), rank).normal_(std=width, generator=generator))
        self.right = nn.Parameter(torch.empty(rank, math.prod(self.hidden)).normal_(std=width, generator=generator))

    def to_hidden(self, s_v: Tensor, given: Given = NOTHING) -> Tensor:
        input = times(times(s_v.flatten(s_v.dim() - len(self.visible)), self.left), self.right)
        return input.reshape(*input.shape[:-1], *self.hidden)

    def to_visible(self, s_h: Tensor, given: Given = NOTHING) -> Tensor:
        input = times(times(s_h.flatten(s_h.dim() - len(self.hidden)), self.right, transposed=True), self.left, transposed=True)
        return input.reshape(*input.shape[:-1], *self.visible)

    @torch.no_grad()
    def accumulate_gradient(
        self, s_v: Tensor, s_h: Tensor, *, weights: Tensor | None, scale: float, fresh: bool, given: Given = NOTHING
    ) -> None:
        rows_v, rows_h = rows(s_v, self.visible), rows(s_h, self.hidden)
        if weights is not None:
            rows_h = rows_h * weights.reshape(-1, 1)
        add_product(self.left, rows_v, times(rows_h, self.right, transposed=True), scale=scale, fresh=fresh)
        add_product(self.right, times(rows_v, self.left), rows_h, scale=scale, fresh=fresh)

    def scales(self, visible: Tensor | float, hidden: Tensor | float) -> dict[str, Tensor | float]:
        return {"left": visible[:, None] if isinstance(visible, Tensor) else visible, "right": hidden}

    def arguments(self) -> dict[str, object]:
        return {"visible": self.visible, "hidden": self.hidden, "rank": self.rank}

    def extra_repr(self) -> str:
        return f"{self.left.shape[0]} x {self.rank} x {self.right.shape[1]}"

"""Probabilistic max-pooling as a module."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class BlockPooling(nn.Module):
    """The probability that any unit of a block is on: the output of `PooledBlocks` given their total input, biases included.

    Parameters
    ----------
    pool : sequence of int
        The size of a block along each of the last axes of the input.

    Notes
    -----
    Σ exp(x) / (1 + Σ exp(x)) over each block, which is the logistic function of log Σ exp(x): a softmax with an off state (Lee, Grosse,
    Ranganath & Ng 2009, doi:10.1145/1553374.1553453).

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import BlockPooling
    >>> BlockPooling((2, 2))(torch.zeros(5, 3, 4, 4)).shape
    torch.Size([5, 3, 2, 2])
    >>> BlockPooling((2,))(torch.zeros(1, 4))
    tensor([[0.6667, 0.6667]])
    """

    def __init__(self, pool: Sequence[int]) -> None:
        super().__init__()
        self.pool: tuple[int, ...] = tuple(pool)

    def forward(self, input: Tensor) -> Tensor:
        axes = len(self.pool)
        kept = input.shape[: input.dim() - axes]
        cut = [size for whole, size in zip(input.shape[len(kept) :], self.pool, strict=True) for size in (whole // size, size)]
        inner = [len(kept) + 2 * axis + 1 for axis in range(axes)]
        return torch.sigmoid(torch.logsumexp(input.reshape(*kept, *cut), dim=inner))

    def extra_repr(self) -> str:
        return f"pool={self.pool}"

"""Probabilistic max-pooling as a module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn


class BlockPooling(nn.Module):
    """The probability that any unit of a block is on: the output of `PooledBlocks` given their total input, biases included.

    Parameters
    ----------
    pool : sequence of int
        The size of a block along each of the last axes of the input.

    Raises
    ------
    ValueError
        When called with an input that does not divide into such blocks.

    Notes
    -----
    Σ exp(x) / (1 + Σ exp(x)) over each block, a softmax with an off state (Lee, Grosse, Ranganath & Ng 2009,
    doi:10.1145/1553374.1553453). Inputs so large that the sum would overflow count as the largest for which it does not; the output is 1
    there.

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
        pooled = input.shape[input.dim() - len(self.pool) :]
        if len(pooled) != len(self.pool) or any(whole % size for whole, size in zip(pooled, self.pool, strict=True)):
            raise ValueError(f"blocks of {self.pool} must divide the last axes of the input, found {tuple(input.shape)}")
        most = math.log(torch.finfo(input.dtype).max / math.prod(self.pool)) - 1
        on = input.clamp_max(most).exp()
        for axis, size in enumerate(self.pool, input.dim() - len(self.pool)):
            split = on.reshape(*on.shape[:axis], on.shape[axis] // size, size, *on.shape[axis + 1 :])
            on = reduce(torch.add, split.unbind(axis + 1))
        return on / (1 + on)

    def extra_repr(self) -> str:
        return f"pool={self.pool}"

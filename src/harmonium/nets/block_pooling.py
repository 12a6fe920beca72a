"""Probabilistic max-pooling as a module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any

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
        found: Tensor = _AnyOn.apply(input, self.pool)[0]  # type: ignore[no-untyped-call]
        return found

    def extra_repr(self) -> str:
        return f"pool={self.pool}"


class _AnyOn(torch.autograd.Function):
    """The output S / (1 + S) beside what its gradient exp(x) / (1 + S)² is made of: exp(x), and 1 / (1 + S).

    They are outputs too, and not only saved, so that a gradient of the gradient goes through them.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, pool: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
        most = math.log(torch.finfo(x.dtype).max / math.prod(pool)) - 1
        on = x.clamp_max(most).exp_()
        total = on
        for axis, size in enumerate(pool, x.dim() - len(pool)):
            total = reduce(torch.add, total.unflatten(axis, (-1, size)).unbind(axis + 1))  # type: ignore[no-untyped-call]
        off = (1 + total).reciprocal_()
        return total * off, on, off

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, tuple[int, ...]], output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.pool = inputs[1]
        ctx.save_for_backward(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor | None) -> tuple[Tensor | None, None]:
        (on, off), (by_output, by_on, by_off) = ctx.saved_tensors, slopes
        by_input = None if by_on is None else by_on * on
        if by_off is not None:
            by_output = -by_off if by_output is None else by_output - by_off
        if by_output is None:
            return by_input, None
        by_total, found = by_output * off * off, torch.empty_like(on)
        for offsets in product(*map(range, ctx.pool)):
            places: Any = (..., *(slice(offset, None, size) for offset, size in zip(offsets, ctx.pool, strict=True)))
            found[places] = on[places] * by_total
        return found if by_input is None else found + by_input, None

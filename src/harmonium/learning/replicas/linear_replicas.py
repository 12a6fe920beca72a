"""Linear layers of several nets as one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LinearReplicas(nn.Module):
    """The linear layers of R nets: (replicas, cases, inputs) -> (replicas, cases, outputs).

    Its backward pass writes the parameters' `.grad` itself, into the memory that is there: at this size, allocating gradients and adding
    them up would cost as much as the products.

    Parameters
    ----------
    weight : torch.Tensor
        (replicas, outputs, inputs).
    bias : torch.Tensor or None
        (replicas, outputs).
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self.fresh = False
        """Whether the next backward pass replaces the gradient instead of adding to it."""
        self.products: dict[Tensor, tuple[Tensor, Tensor]] | None = None
        """Where the backward pass leaves the two factors of the weights' gradient, in place of `.grad`, if the optimiser takes them."""

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = _Product.apply(input, self.weight, self.bias, self)  # type: ignore[no-untyped-call]
        return found


class _Product(torch.autograd.Function):
    """x W' + b, replica by replica."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layer: LinearReplicas) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layer = layer
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias[:, None], x, weight.mT)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, None, None, None]:
        (slope,), (x, weight), layer = slopes, ctx.saved_tensors, ctx.layer
        kept = 0.0 if layer.fresh else 1.0
        layer.fresh = False
        if ctx.needs_input_grad[1] and layer.products is not None:
            before = layer.products.get(layer.weight)  # of a layer that the net has twice
            pair = (slope, x) if before is None else (torch.cat([before[0], slope], 1), torch.cat([before[1], x], 1))
            layer.products[layer.weight] = pair
        elif ctx.needs_input_grad[1]:
            room(layer.weight).baddbmm_(slope.mT, x, beta=kept)
        if ctx.needs_input_grad[2]:
            total, grad = slope.sum(1), room(layer.bias)
            grad.copy_(total) if kept == 0.0 else grad.add_(total)
        return torch.bmm(slope, weight) if ctx.needs_input_grad[0] else None, None, None, None


def room(parameter: nn.Parameter) -> Tensor:
    """The parameter's `.grad`, which is allocated if it has none."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad

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
        self.dtype: torch.dtype | None = None
        """The type to which the factors of all products are rounded, if any; the sums are in the weights' own."""
        self.short: Tensor | None = None

    def rounded(self) -> Tensor:
        """The weights as factors of products, in memory that is kept."""
        if self.dtype is None:
            return self.weight.detach()
        if self.short is None or (self.short.dtype, self.short.device) != (self.dtype, self.weight.device):
            self.short = torch.empty_like(self.weight, dtype=self.dtype, requires_grad=False)
        return self.short.copy_(self.weight.detach())

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = _Product.apply(input, self.weight, self.bias, self)  # type: ignore[no-untyped-call]
        return found


class _Product(torch.autograd.Function):
    """x W' + b, replica by replica."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layer: LinearReplicas) -> Tensor:
        ctx.layer, ctx.factor = layer, layer.rounded()
        x = x.to(ctx.factor.dtype)
        ctx.save_for_backward(x)
        if layer.dtype is None:
            return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias[:, None], x, weight.mT)
        found = torch.bmm(x, ctx.factor.mT).to(weight.dtype)
        return found if bias is None else found.add_(bias[:, None])

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, None, None, None]:
        (slope,), (x,), layer, weight = slopes, ctx.saved_tensors, ctx.layer, ctx.factor
        whole, slope = slope, slope.to(weight.dtype)
        kept = 0.0 if layer.fresh else 1.0
        layer.fresh = False
        if ctx.needs_input_grad[1] and layer.products is not None:
            before = layer.products.get(layer.weight)  # of a layer that the net has twice
            pair = (slope, x) if before is None else (torch.cat([before[0], slope], 1), torch.cat([before[1], x], 1))
            layer.products[layer.weight] = pair
        elif ctx.needs_input_grad[1] and layer.dtype is None:
            room(layer.weight).baddbmm_(slope.mT, x, beta=kept)
        elif ctx.needs_input_grad[1]:
            replace_or_add(room(layer.weight), torch.bmm(slope.mT, x), kept)
        if ctx.needs_input_grad[2]:
            replace_or_add(room(layer.bias), whole.sum(1), kept)
        return torch.bmm(slope, weight).to(whole.dtype) if ctx.needs_input_grad[0] else None, None, None, None


def replace_or_add(grad: Tensor, term: Tensor, kept: float) -> None:
    """Add a term to a gradient, or put it in its place if nothing is kept."""
    grad.copy_(term) if kept == 0.0 else grad.add_(term)


def room(parameter: nn.Parameter) -> Tensor:
    """The parameter's `.grad`, which is allocated if it has none."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad

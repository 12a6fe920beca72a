"""Weighted sums over cases, and the gradients that they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def weighted_sum(values: Tensor, weights: Tensor | None, like: Tensor) -> Tensor:
    """Sums values over the leading axes with weights, then down to the shape of `like`.

    Parameters
    ----------
    values : torch.Tensor
        (*leading, *shape).
    weights : torch.Tensor or None
        (*leading); None gives every case a weight of one.
    like : torch.Tensor
        A tensor whose shape broadcasts to `shape`.

    Returns
    -------
    torch.Tensor
        Of the shape of `like`.

    Examples
    --------
    >>> import torch
    >>> from harmonium.units import weighted_sum
    >>> values = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> weighted_sum(values, torch.tensor([1.0, 2.0]), torch.zeros(2))
    tensor([ 7., 10.])
    >>> weighted_sum(values, None, torch.zeros(1))  # one parameter shared by both units
    tensor([10.])
    """
    if weights is not None and weights.dim() == 1 and values.dim() == 2 and values.shape[1:] == like.shape:
        return weights @ values
    if weights is not None:
        values = values * weights.reshape(*weights.shape, *[1] * (values.dim() - weights.dim()))
    return values.sum(0) if values.dim() == like.dim() + 1 and values.shape[1:] == like.shape else values.sum_to_size(like.shape)


def add_to_grad(parameter: nn.Parameter, total: Tensor, *, scale: float, fresh: bool) -> None:
    """Adds scale · total to the parameter's `.grad`, or overwrites it if `fresh`, in place.

    A frozen parameter (`requires_grad` false) is skipped. A parameter without a `.grad` gets one.
    """
    if not parameter.requires_grad:
        return
    if parameter.grad is None:
        parameter.grad, fresh = torch.empty_like(parameter), True
    if fresh:
        torch.mul(total, scale, out=parameter.grad)
    else:
        parameter.grad.add_(total, alpha=scale)


def tally(rows: Tensor, weights: Tensor | None, like: Tensor) -> tuple[Tensor, float]:
    """The weighted sum of (cases, *shape) down to the shape of `like`, and the weighted number of values in each of its entries."""
    cases = float(len(rows)) if weights is None else weights.sum().item()
    return weighted_sum(rows, weights, like), cases * (rows[0].numel() / like.numel())

"""Averages over the cases of all processes. In a single process each function is the identity."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch import distributed as dist


def processes() -> int:
    """The number of processes that learn together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(count: int, like: Tensor) -> float:
    """A number of cases, or particles, summed over the processes."""
    if processes() == 1:
        return float(count)
    found = torch.tensor(float(count), dtype=torch.float64, device=like.device)
    dist.all_reduce(found)
    return float(found)


def add_up(tensors: Iterable[Tensor]) -> None:
    """Sum tensors over the processes, in place, by one all-reduce. Each is a share of the average over all cases."""
    if processes() == 1:
        return
    parts = list(tensors)
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    for part, whole in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
        part.copy_(whole.view_as(part))


def gradients(model: nn.Module) -> None:
    """Sum every `.grad` over the processes, in place. Each process has written its cases' shares of the average."""
    if processes() > 1:
        add_up(parameter.grad for parameter in model.parameters() if parameter.grad is not None)

"""Averages over the cases of all processes; in a single process each of these is the identity."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch import distributed as dist


def processes() -> int:
    """How many learn together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(count: int, like: Tensor) -> float:
    """A number of cases, or particles, added up over the processes."""
    if processes() == 1:
        return float(count)
    found = torch.tensor(float(count), dtype=torch.float64, device=like.device)
    dist.all_reduce(found)
    return float(found)


def add_up(tensors: Iterable[Tensor]) -> None:
    """Sums over the cases, each share of the average counted over all processes, added up in place: one all-reduce."""
    if processes() == 1:
        return
    parts = list(tensors)
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    for part, whole in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
        part.copy_(whole.view_as(part))


def gradients(model: nn.Module) -> None:
    """Every `.grad`, which each process has written with its cases' shares of the whole average, added up in place."""
    if processes() > 1:
        add_up(parameter.grad for parameter in model.parameters() if parameter.grad is not None)

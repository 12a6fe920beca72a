"""What the processes of one training have in common: sums over all cases, and one model. In a single process nothing is done."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from harmonium.learning.loop.state import SHARED, TrainingState
from harmonium.processes import add_up, copy_from_first, world_size


def gradients(model: nn.Module, averages: Sequence[Tensor] = ()) -> None:
    """Sum every `.grad`, and averages of the batch, over the processes, in place, by one all-reduce.

    Each process has written its cases' shares.
    """
    if world_size() > 1:
        add_up([*(parameter.grad for parameter in model.parameters() if parameter.grad is not None), *averages])


def totals(state: TrainingState) -> None:
    """Sum the epoch's sums over the processes, in place."""
    if world_size() > 1:
        add_up([value for name, value in state.totals.items() if name != SHARED])


def one_model(model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    copy_from_first(model.state_dict(keep_vars=True).values())

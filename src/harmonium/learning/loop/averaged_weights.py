"""A model that has its averaged parameters for a while, or for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Chooses
from harmonium.models.saving import renamed


@contextmanager
def averaged_weights(state: TrainingState) -> Iterator[None]:
    """Within it, the state's model has the averaged parameters."""
    own = {name: parameter.detach().clone() for name, parameter in state.model.named_parameters()}
    take_average(state)
    try:
        yield
    finally:
        copy_into(state.model, own)


def take_average(state: TrainingState) -> None:
    """Give the state's model the averaged parameters."""
    copy_into(state.model, renamed(state.model, state.average, ""))


@torch.no_grad()
def copy_into(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into the parameters with their names."""
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[name])


@dataclass(frozen=True)
class Averaged:
    """A choice of the best epoch, whose averaged parameters are kept."""

    choice: Chooses

    def look(self, state: TrainingState) -> None:
        with averaged_weights(state):
            self.choice.look(state)

"""One update, whatever is learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from harmonium.learning.loop import reduce
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.rules.rule import Positive
from harmonium.learning.transforms.transform import Transform


class Signal(Protocol):
    """What writes the gradient."""

    def gradient(self, *batch: Any) -> Positive | None:
        """Writes every `.grad` anew from a mini-batch; gives the data's half of the signal, for transforms that look at it."""

    def after(self, complete: Callable[[], None]) -> None:
        """Between the gradient and the optimiser's step (see `Rule.after`)."""

    def between(self, step: int) -> None:
        """After an update, `step` being its number from 1."""


class Step:
    """The signal, the transforms of its gradient, the optimiser's step, and what follows it."""

    def __init__(self, state: TrainingState, signal: Signal, transforms: Sequence[Transform] = (), machine: Any = None) -> None:
        """`machine`: what the transforms change, by default the state's model."""
        self.state, self.signal = state, signal
        self.model: Any = state.model if machine is None else machine
        self.transforms = [(transform, state.slots[transform.name]) for transform in transforms]
        self.completing = [(transform, slots) for transform, slots in self.transforms if transform.completes]
        allocate_gradients(state.model)

    def __call__(self, *batch: Any) -> None:
        state, model = self.state, self.model
        positive = self.signal.gradient(*batch)
        reduce.gradients(state.model)
        if positive is not None:
            for transform, slots in self.transforms:
                transform.observe(model, positive, slots)
            for transform, slots in self.transforms:
                transform.gradient(model, positive, slots)
        self.signal.after(self._complete)
        state.optimizer.step()
        for transform, slots in self.transforms:
            transform.after(model, slots)
        state.step += 1
        self.signal.between(state.step)

    def _complete(self) -> None:
        for transform, slots in self.completing:
            transform.after(self.model, slots)


@torch.no_grad()
def allocate_gradients(model: nn.Module) -> None:
    """A `.grad` for every parameter that is learnt, which updates write into and never replace."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)

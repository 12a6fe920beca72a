"""One update of any kind of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import nn

from harmonium.couplings.products import Reduced
from harmonium.learning.loop import reduce
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.rules.rule import Positive
from harmonium.learning.transforms.transform import Transform
from harmonium.processes import only_first_warns


class Signal(Protocol):
    """The part of an update that writes the gradient."""

    def gradient(self, *batch: Any) -> Positive | None:
        """Overwrite every `.grad` from a mini-batch. Returns the data's part of the signal, for transforms that use it."""

    def after(self, complete: Callable[[], None]) -> None:
        """Called between the gradient and the optimiser's step (see `Rule.after`)."""

    def between(self, step: int) -> None:
        """Called after update number `step`, from 1."""


class Step:
    """One update: the gradient signal, its transforms, the optimiser's step, and what follows it.

    A `Step` is called with a mini-batch.

    Parameters
    ----------
    state : TrainingState
        The training, which has the slots of the transforms.
    signal : Signal
        Writes the gradient.
    transforms : sequence of Transform
        Change the gradient, in this order.
    machine : RBM, optional
        The machine that the transforms change, by default the state's model.
    dtype : torch.dtype, optional
        The type to which the factors of products are rounded while the gradient is written (`Reduced`); by default they are not.

    Examples
    --------
    `fit` builds its step in this way:

    >>> import torch, harmonium as hm
    >>> class Towards:
    ...     def gradient(self, v):
    ...         rbm.visible.bias.grad.copy_(rbm.visible.bias - v.mean(0))
    ...     def after(self, complete): ...
    ...     def between(self, step): ...
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.TrainingState(rbm, torch.optim.SGD(rbm.parameters(), lr=0.5), torch.Generator(), {})
    >>> step = hm.learning.Step(state, Towards())
    >>> step(torch.ones(5, 6))
    >>> state.step, rbm.visible.bias[0].item()
    (1, 0.5)
    """

    def __init__(
        self,
        state: TrainingState,
        signal: Signal,
        transforms: Sequence[Transform] = (),
        machine: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.state, self.signal = state, signal
        self.products: AbstractContextManager[Any] = nullcontext() if dtype is None else Reduced(dtype)
        self.model: Any = state.model if machine is None else machine
        self.transforms = [(transform, state.slots[transform.name]) for transform in transforms]
        self.completing = [(transform, slots) for transform, slots in self.transforms if transform.completes]
        allocate_gradients(state.model)

    def __call__(self, *batch: Any) -> None:
        self.compute(*batch)
        self.finish()

    def compute(self, *batch: Any) -> None:
        """The part of the update that runs on the device: gradient, transforms and the optimiser's step."""
        state, model = self.state, self.model
        with self.products:
            positive = self.signal.gradient(*batch)
        averages = [] if positive is None else [each for one, slots in self.transforms for each in one.collect(model, positive, slots)]
        reduce.gradients(state.model, averages)
        if positive is not None:
            for transform, slots in self.transforms:
                transform.observe(model, positive, slots)
            for transform, slots in self.transforms:
                transform.gradient(model, positive, slots)
        self.signal.after(self._complete)
        state.optimizer.step()
        for transform, slots in self.transforms:
            transform.after(model, slots)

    def finish(self) -> None:
        """The part that runs on the host: count the update, and let the rule act on rare occasions."""
        self.state.step += 1
        self.signal.between(self.state.step)

    def report(self) -> None:
        """At the end of training, let the transforms warn of what the user should know."""
        with only_first_warns():
            for transform, slots in self.transforms:
                transform.report(self.model, slots, self.state.step)

    def _complete(self) -> None:
        for transform, slots in self.completing:
            transform.after(self.model, slots)


@torch.no_grad()
def allocate_gradients(model: nn.Module) -> None:
    """Allocate a `.grad` for every learned parameter. Updates write into it and never replace it."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)

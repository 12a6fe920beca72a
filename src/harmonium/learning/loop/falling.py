"""A learning rate that falls to zero."""

from __future__ import annotations

from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback


class LinearFall(Callback):
    """Lets the learning rate of every parameter group fall linearly to zero over the planned updates.

    Parameters
    ----------
    lr : float
        The rate at the first update.
    """

    def __init__(self, lr: float) -> None:
        self.lr, self.updates = lr, 1

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.updates = max(1, epochs * batches)
        self.on_step(state)

    def on_step(self, state: TrainingState) -> None:
        lr = self.lr * max(0.0, 1.0 - state.step / self.updates)
        for group in state.optimizer.param_groups:
            group["lr"] = lr

"""The loop that every kind of training shares."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor

from harmonium.data.batches import Batches, Stream
from harmonium.learning.loop.state import TrainingState

CHECK_EVERY = 100  # steps between looks for non-finite parameters
CHECKPOINT_SECONDS = 30.0  # between checkpoints inside an epoch


class Callback:
    """Something to do as training goes: override what you need."""

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        """Before the first step. `batches`: how many make an epoch, 0 where nobody knows."""

    def on_step(self, state: TrainingState) -> None:
        """After each update."""

    def on_epoch(self, state: TrainingState) -> None:
        """After each epoch; its figures are `state.history[-1]`. Set `state.stopped` to end training."""

    def on_end(self, state: TrainingState) -> None:
        """After the last step, or the one at which training broke off."""


@contextmanager
def deferred_interrupt(active: bool) -> Iterator[Callable[[], bool]]:
    """Holds Ctrl-C back until the step in hand is done: yields a function that says whether it was pressed."""
    pressed = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if not active or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous: Any = signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, previous)


def train(
    state: TrainingState,
    batches: Batches | Stream,
    step: Callable[..., None],
    metrics: Callable[[], dict[str, float]],
    *,
    epochs: int,
    callbacks: Iterable[Callback] = (),
    checkpoint: Path | None = None,
    chosen: Choice | None = None,
) -> TrainingState:
    """Trains until `epochs` are done: `step(*batch)` is one update, `metrics()` closes an epoch.

    A checkpoint is written after each epoch and, where the data can resume inside one, every half minute. Ctrl-C ends the
    step in hand, saves, and raises KeyboardInterrupt. FloatingPointError if a parameter diverges.
    """
    callbacks = list(callbacks)
    keeper = Keeper(state, batches, checkpoint)
    for callback in callbacks:
        callback.on_start(state, epochs, len(batches))
    try:
        with deferred_interrupt(checkpoint is not None) as interrupted:
            while state.epoch < epochs and not state.stopped:
                _epoch(state, batches, step, callbacks, keeper, interrupted)
                state.check_finite()
                state.epoch, state.batch = state.epoch + 1, 0
                if state.schedule is not None:
                    state.schedule.step()
                row = {"epoch": float(state.epoch), "step": float(state.step), **metrics()}
                row["update_ratio"] = float(state.totals.pop("update_ratio", math.nan))
                row["seconds"] = round(keeper.seconds, 3)
                state.history.append(row)
                state.totals.clear()
                if chosen is not None:
                    chosen.look(state)
                for callback in callbacks:
                    callback.on_epoch(state)
                keeper.save()
                if interrupted():
                    raise KeyboardInterrupt
    finally:
        for callback in callbacks:
            callback.on_end(state)
    state.seconds = keeper.seconds
    if chosen is not None and state.best:
        state.model.load_state_dict(state.best)
    return state


def _epoch(
    state: TrainingState,
    batches: Batches | Stream,
    step: Callable[..., None],
    callbacks: list[Callback],
    keeper: Keeper,
    interrupted: Callable[[], bool],
) -> None:
    """The batches that are left of an epoch."""
    step_callbacks = [callback for callback in callbacks if type(callback).on_step is not Callback.on_step]
    for batch in batches.epoch(state.epoch, state.batch, state.generator):
        before = weights(state).clone() if state.batch == 0 else None
        step(*batch)
        if before is not None:
            state.add("update_ratio", (weights(state) - before).abs().mean() / before.abs().mean())
        state.batch += 1
        if state.step % CHECK_EVERY == 0:
            state.check_finite()
        for callback in step_callbacks:
            callback.on_step(state)
        if batches.resumes_inside and (interrupted() or keeper.due):
            keeper.save()
        if interrupted():
            raise KeyboardInterrupt


class Keeper:
    """Writes the checkpoint, and counts the seconds that training takes."""

    def __init__(self, state: TrainingState, batches: Batches | Stream, path: Path | None) -> None:
        self.state, self.batches, self.path = state, batches, path
        self.began, self.saved = time.monotonic() - state.seconds, time.monotonic()
        if path is not None and isinstance(batches, Stream):
            batches.load_state_dict(state.stream)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint inside an epoch."""
        return time.monotonic() - self.saved > CHECKPOINT_SECONDS

    def save(self) -> None:
        self.state.seconds = self.seconds
        if self.path is not None:
            self.state.check_finite()
            self.state.stream = self.batches.state_dict() if isinstance(self.batches, Stream) else None
            self.state.save(self.path)
        self.saved = time.monotonic()


@dataclass(frozen=True)
class Choice:
    """Keeps the weights of the epoch at which a metric was lowest, to end with; `patience` epochs without a lower one end training."""

    metric: str
    patience: int | None = None

    def look(self, state: TrainingState) -> None:
        row = state.history[-1]
        if all(row[self.metric] < earlier[self.metric] for earlier in state.history[:-1]):
            state.best_epoch = state.epoch
            state.best = {name: tensor.detach().clone() for name, tensor in state.model.state_dict().items()}
        elif self.patience is not None and state.epoch - state.best_epoch >= self.patience:
            state.stopped = True


def weights(state: TrainingState) -> Tensor:
    """The tensor whose relative change is watched: the first that weight cost applies to."""
    first: Tensor = state.optimizer.param_groups[0]["params"][0]
    return first.detach()

"""The loop that every kind of training shares."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from harmonium.learning.batches import Batches, Stream
from harmonium.learning.state import TrainingState

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
    gradient: Callable[..., None],
    figures: Callable[[], dict[str, float]],
    *,
    epochs: int,
    callbacks: Iterable[Callback] = (),
    checkpoint: Path | None = None,
    keep_best: str | None = None,
    patience: int | None = None,
) -> TrainingState:
    """Trains until `epochs` are done: `gradient(*batch)` writes every `.grad`, the optimiser steps, `figures()` closes an epoch.

    A checkpoint is written after each epoch and, where the data can resume inside one, every half minute. Ctrl-C ends the
    step in hand, saves, and raises KeyboardInterrupt. With `keep_best` the weights of the epoch at which that figure was lowest
    stand in the model at the end; `patience` epochs without a lower one end training. FloatingPointError if a parameter diverges.
    """
    callbacks = list(callbacks)
    step_callbacks = [callback for callback in callbacks if type(callback).on_step is not Callback.on_step]
    began, saved = time.monotonic() - state.seconds, time.monotonic()
    if checkpoint is not None and isinstance(batches, Stream):
        batches.load_state_dict(state.stream)

    def save() -> None:
        nonlocal saved
        state.seconds = time.monotonic() - began
        if checkpoint is not None:
            state.check_finite()
            state.stream = batches.state_dict() if isinstance(batches, Stream) else None
            state.save(checkpoint)
        saved = time.monotonic()

    for callback in callbacks:
        callback.on_start(state, epochs, len(batches))
    try:
        with deferred_interrupt(checkpoint is not None) as interrupted:
            while state.epoch < epochs and not state.stopped:
                for batch in batches.epoch(state.epoch, state.batch, state.generator):
                    before = weights(state).clone() if state.batch == 0 else None
                    gradient(*batch)
                    state.optimizer.step()
                    if before is not None:
                        state.add("update_ratio", (weights(state) - before).abs().mean() / before.abs().mean())
                    state.step, state.batch = state.step + 1, state.batch + 1
                    if state.step % CHECK_EVERY == 0:
                        state.check_finite()
                    for callback in step_callbacks:
                        callback.on_step(state)
                    if interrupted() or (time.monotonic() - saved > CHECKPOINT_SECONDS and batches.resumes_inside):
                        if batches.resumes_inside:
                            save()
                        if interrupted():
                            raise KeyboardInterrupt
                state.check_finite()
                state.epoch, state.batch = state.epoch + 1, 0
                if state.schedule is not None:
                    state.schedule.step()
                row = {"epoch": float(state.epoch), "step": float(state.step), **figures()}
                row["update_ratio"] = float(state.totals.pop("update_ratio"))
                row["seconds"] = round(time.monotonic() - began, 3)
                state.history.append(row)
                state.totals.clear()
                _keep_best(state, keep_best, patience)
                for callback in callbacks:
                    callback.on_epoch(state)
                save()
                if interrupted():
                    raise KeyboardInterrupt
    finally:
        for callback in callbacks:
            callback.on_end(state)
    if keep_best is not None and state.best:
        state.model.load_state_dict(state.best)
    return state


def weights(state: TrainingState) -> Tensor:
    """The tensor whose relative change is watched: the first that weight cost applies to."""
    first: Tensor = state.optimizer.param_groups[0]["params"][0]
    return first.detach()


def _keep_best(state: TrainingState, figure: str | None, patience: int | None) -> None:
    if figure is None:
        return
    row = state.history[-1]
    if all(row[figure] < earlier[figure] for earlier in state.history[:-1]):
        state.best_epoch = state.epoch
        state.best = {name: tensor.detach().clone() for name, tensor in state.model.state_dict().items()}
    elif patience is not None and state.epoch - state.best_epoch >= patience:
        state.stopped = True


def fresh_generator(like: Tensor, seed: int) -> torch.Generator:
    """A generator on the device of `like`."""
    return torch.Generator(like.device).manual_seed(seed)

"""The training loop that every kind of training shares."""

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
from typing import Any, Protocol

import torch
from torch import Tensor

from harmonium.data.batches import Batches, Stream
from harmonium.learning.loop import reduce
from harmonium.learning.loop.state import SHARED, TrainingState
from harmonium.processes import in_any, is_first, mean_figures, world_size

CHECK_EVERY = 100  # steps between checks for non-finite parameters
CHECKPOINT_SECONDS = 30.0  # between checkpoints inside an epoch
AGREE_EVERY = 10  # steps between those at which several processes agree to stop or to save


class Callback:
    """Actions during training. Subclass it and override the methods that you need.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> class StopAtTwo(hm.Callback):
    ...     def on_epoch(self, state):
    ...         state.stopped = state.epoch == 2
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), epochs=5, callbacks=[StopAtTwo()], progress=False)
    >>> state.epoch
    2
    """

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        """Called before the first step. `batches` is the number of batches per epoch, 0 if it is unknown."""

    def on_step(self, state: TrainingState) -> None:
        """Called after each update."""

    def on_epoch(self, state: TrainingState) -> None:
        """Called after each epoch. Its metrics are `state.history[-1]`. Set `state.stopped` to end training."""

    def on_end(self, state: TrainingState) -> None:
        """Called after the last step, or after the step at which training was interrupted."""


Action = Callback | Callable[[TrainingState], object]
"""A callback, or a plain function of the state that is called after each epoch."""


class AfterEpoch(Callback):
    """A plain function of the state, called after each epoch."""

    def __init__(self, function: Callable[[TrainingState], object]) -> None:
        self.function = function

    def on_epoch(self, state: TrainingState) -> None:
        self.function(state)


Actions = Iterable[Action] | Action
"""What `callbacks=` takes: a list of callbacks and functions, or one alone."""


def as_callbacks(actions: Actions) -> list[Callback]:
    """A list of callbacks, of one alone too. Raises a TypeError for anything else."""
    if isinstance(actions, Callback) or callable(actions):
        return [as_callback(actions)]
    if isinstance(actions, str | bytes) or not isinstance(actions, Iterable):
        raise TypeError(f"callbacks= is a list of hm.Callback objects and of functions of the state, or one of them, found {actions!r}")
    return [as_callback(each) for each in actions]


def as_callback(action: Action) -> Callback:
    """A callback, or a function made into one. Raises a TypeError for anything else."""
    if isinstance(action, Callback):
        return action
    if isinstance(action, type) or not callable(action):
        raise TypeError(f"callbacks are a list of hm.Callback objects and of functions of the state, found {action!r} in it")
    return AfterEpoch(action)


@contextmanager
def deferred_interrupt(active: bool) -> Iterator[Callable[[], bool]]:
    """Defers Ctrl-C until the present step is done. Yields a function that says whether it was pressed."""
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
    chosen: Chooses | None = None,
) -> TrainingState:
    """Train until so many epochs are done.

    A checkpoint is written after each epoch and, if the data can resume inside an epoch, every half minute. Several processes stop and save
    at the same step; the first one writes.

    Parameters
    ----------
    state : TrainingState
        Where training is. It is changed, and returned.
    batches : Batches or Stream
        The mini-batches of each epoch.
    step : callable
        One update, from the parts of a batch.
    metrics : callable
        The figures at the end of an epoch.
    epochs : int
        Number of epochs in all, those of the state included.
    callbacks : iterable of Callback
        What watches training.
    checkpoint : pathlib.Path, optional
        The file to save to.
    chosen : Chooses, optional
        What chooses the best epoch.

    Raises
    ------
    FloatingPointError
        If a parameter diverges.
    KeyboardInterrupt
        On Ctrl-C, after the present step is finished and saved.
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
                reduce.totals(state)
                row = {"epoch": float(state.epoch), "step": float(state.step), **mean_figures(metrics(), keeper.device)}
                row[SHARED] = float(state.totals.pop(SHARED, math.nan))
                row["seconds"] = round(keeper.seconds, 3)
                state.history.append(row)
                state.totals.clear()
                for callback in callbacks:
                    callback.on_epoch(state)
                if chosen is not None:
                    chosen.look(state)  # last, because a callback may have written the metric
                (state.stopped,) = in_any([state.stopped], keeper.device)
                keeper.save()
                if keeper.agreed(interrupted(), now=True)[0]:
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
    """Run the remaining batches of an epoch."""
    step_callbacks = [callback for callback in callbacks if type(callback).on_step is not Callback.on_step]
    for batch in batches.epoch(state.epoch, state.batch, state.generator):
        before = weights(state).clone() if state.batch == 0 else None
        step(*batch)
        if before is not None:
            state.add(SHARED, (weights(state) - before).abs().mean() / before.abs().mean())
        state.batch += 1
        if state.step % CHECK_EVERY == 0:
            state.check_finite()
        for callback in step_callbacks:
            callback.on_step(state)
        stop, due = keeper.agreed(interrupted())
        if batches.resumes_inside and (stop or due):
            keeper.save()
        if stop:
            raise KeyboardInterrupt


class Keeper:
    """Writes the checkpoint, and counts the seconds of training."""

    def __init__(self, state: TrainingState, batches: Batches | Stream, path: Path | None) -> None:
        self.state, self.batches, self.path = state, batches, path
        self.began, self.saved = time.monotonic() - state.seconds, time.monotonic()
        if path is not None and is_first():
            path.parent.mkdir(parents=True, exist_ok=True)  # now, and not later: a folder deleted meanwhile is not made again
        if path is not None and isinstance(batches, Stream):
            batches.load_state_dict(state.stream)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def due(self) -> bool:
        """Whether a checkpoint inside an epoch is due."""
        return time.monotonic() - self.saved > CHECKPOINT_SECONDS

    @property
    def device(self) -> torch.device:
        return weights(self.state).device

    def agreed(self, interrupted: bool, now: bool = False) -> tuple[bool, bool]:
        """Whether to stop, and whether a checkpoint is due: in every process alike. `now`: not only at every tenth step."""
        if self.path is None or world_size() == 1:
            return interrupted, self.due
        if self.state.step % AGREE_EVERY and not now:
            return False, False
        stop, due = in_any([interrupted, self.due], self.device)
        return stop, due

    def save(self) -> None:
        self.state.seconds = self.seconds
        if self.path is not None:
            self.state.stream = self.batches.state_dict() if isinstance(self.batches, Stream) else None
            self.state.save(self.path)
        self.saved = time.monotonic()


class Chooses(Protocol):
    """Keeps the weights of the best epoch so far."""

    def look(self, state: TrainingState) -> None:
        """Called after each epoch, whose metrics are `state.history[-1]`."""


@dataclass(frozen=True)
class Choice:
    """Keeps the weights of the epoch with the lowest, or `highest`, value of a metric. `patience` epochs without a better one end training.

    Epochs without the metric are passed over. NaN is never better.
    """

    metric: str
    patience: int | None = None
    highest: bool = False

    def look(self, state: TrainingState) -> None:
        if self.metric not in state.history[-1]:
            return
        value, *earlier = (-row[self.metric] if self.highest else row[self.metric] for row in reversed(state.history) if self.metric in row)
        if value < min((each for each in earlier if not math.isnan(each)), default=math.inf):
            state.best_epoch = state.epoch
            state.best = {name: tensor.detach().clone() for name, tensor in state.model.state_dict().items()}
        elif self.patience is not None and state.epoch - state.best_epoch >= self.patience:
            state.stopped = True


def weights(state: TrainingState) -> Tensor:
    """The tensor whose relative change is reported: the first one that weight cost applies to."""
    first: Tensor = state.optimizer.param_groups[0]["params"][0]
    return first.detach()

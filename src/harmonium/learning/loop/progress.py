"""A progress bar with the main metrics and the time left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harmonium.learning.loop.epoch_figures import sentence
from harmonium.learning.loop.notebook_bar import NotebookBar
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback
from harmonium.notebook import in_notebook

if TYPE_CHECKING:
    import rich.progress as bars

STEPS = 10  # between updates of the bar, which take time


class Progress(Callback):
    """Shows the share of steps done, the time left and the last epoch's metrics: a bar in a terminal and in a notebook.

    Elsewhere it prints about ten lines in all. `fit` adds it with `progress=True`, and by default in a terminal and in a notebook.

    Parameters
    ----------
    name : str, default "learning"
        The text before the bar.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), epochs=2, callbacks=[hm.Progress("digits")], progress=False)
    """

    def __init__(self, name: str = "learning") -> None:
        self.name = name
        self.bar: bars.Progress | None = None
        self.page: NotebookBar | None = None

    @staticmethod
    def wanted() -> bool:
        """Whether there is a notebook or a terminal to show a bar."""
        return in_notebook() or sys.stderr.isatty()

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.epochs = epochs
        if in_notebook():
            self.page = NotebookBar(self.name, epochs * batches or None)
            self.page.update(state.step, f"epoch {state.epoch}/{epochs}", now=True)
            return
        if not self.wanted():
            return
        import rich.progress as bars  # here: only a bar needs it
        from rich.console import Console

        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=20),
            bars.TextColumn("epoch {task.fields[epoch]}"),
            bars.TimeRemainingColumn(elapsed_when_finished=True),
            bars.TextColumn("{task.fields[figures]}"),
        )
        self.bar = bars.Progress(*columns, console=Console(stderr=True), refresh_per_second=4)
        self.task = self.bar.add_task(
            self.name, total=epochs * batches or None, completed=state.step, epoch=f"{state.epoch}/{epochs}", figures=""
        )
        self.bar.start()

    def on_step(self, state: TrainingState) -> None:
        if self.bar is not None and state.step % STEPS == 0:
            self.bar.update(self.task, completed=state.step)
        elif self.page is not None:
            self.page.update(state.step)

    def on_epoch(self, state: TrainingState) -> None:
        figures = sentence(state.history[-1])
        if self.page is not None:
            self.page.update(state.step, f"epoch {state.epoch}/{self.epochs}  {figures}", now=state.epoch == self.epochs)
        elif self.bar is not None:
            self.bar.update(self.task, epoch=f"{state.epoch}/{self.epochs}", figures=figures)
        elif state.epoch % max(self.epochs // 10, 1) == 0 or state.epoch == self.epochs:
            seconds = state.history[-1]["seconds"]
            left = seconds / state.epoch * (self.epochs - state.epoch)
            line = f"{self.name}: epoch {state.epoch}/{self.epochs}  {figures}  {seconds:.0f} s, {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    def on_end(self, state: TrainingState) -> None:
        if self.page is not None:
            self.page.update(state.step, now=True)
            self.page = None
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

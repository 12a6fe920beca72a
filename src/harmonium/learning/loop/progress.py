"""A progress bar with the main metrics and the time left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback

if TYPE_CHECKING:
    import rich.progress as bars

STEPS = 10  # between updates of the bar, which take time
SHOWN = {
    "reconstruction_error": "error {:.2f}",
    "wake_error": "wake {:.2f}",
    "sleep_error": "sleep {:.2f}",
    "pseudo_likelihood": "pseudo-log-likelihood {:.1f}",
    "free_energy_gap": "gap {:+.2f}",
    "mean_field_change": "mean field still changes by {:.0e}",
    "update_ratio": "update/weight {:.0e}",
    "dead": "dead {:.0%}",
    "saturated": "saturated {:.0%}",
    "swap_rate": "swaps {:.0%}",
    "least_swap_rate": "at least {:.0%}",
    "round_trips": "round trips {:.1f}",
    "train_loss": "loss {:.4f}",
    "train_error_percent": "training error {:.2f}%",
    "validation_error_percent": "validation error {:.2f}%",
    "averaged_error_percent": "averaged {:.2f}%",
}


def sentence(row: dict[str, float]) -> str:
    """One row of figures in words."""
    return "  ".join(form.format(row[name]) for name, form in SHOWN.items() if name in row)


class Progress(Callback):
    """Shows the share of steps done, the time left and the last epoch's metrics. Without a terminal it prints about ten lines in all.

    `fit` adds it with `progress=True`, and by default on a terminal.

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

    @staticmethod
    def wanted() -> bool:
        """Whether standard error is a terminal."""
        return sys.stderr.isatty()

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.epochs = epochs
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

    def on_epoch(self, state: TrainingState) -> None:
        figures = sentence(state.history[-1])
        if self.bar is not None:
            self.bar.update(self.task, epoch=f"{state.epoch}/{self.epochs}", figures=figures)
        elif state.epoch % max(self.epochs // 10, 1) == 0 or state.epoch == self.epochs:
            seconds = state.history[-1]["seconds"]
            left = seconds / state.epoch * (self.epochs - state.epoch)
            line = f"{self.name}: epoch {state.epoch}/{self.epochs}  {figures}  {seconds:.0f} s, {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    def on_end(self, state: TrainingState) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

"""The metrics of each epoch, written to the run's folder as training goes on."""

from __future__ import annotations

from pathlib import Path

from harmonium.learning import Callback, TrainingState
from harmonium.processes import is_first
from harmonium.runs.metrics_file import append_row, read_rows, rewrite_rows


class MetricsLog(Callback):
    """Appends each epoch's metrics to metrics.jsonl.

    When training goes on from a checkpoint, the rows of its phase become those that the checkpoint holds: later ones, and damage, are gone.
    """

    def __init__(self, path: Path, phase: str) -> None:
        self.path, self.phase = path, phase

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        if not is_first():
            return
        rows = read_rows(self.path)
        before = next((place for place, row in enumerate(rows) if row["phase"] == self.phase), len(rows))
        own = [{"phase": self.phase, **row} for row in state.history]
        rewrite_rows(self.path, rows[:before] + own + [row for row in rows[before:] if row["phase"] != self.phase])

    def on_epoch(self, state: TrainingState) -> None:
        if is_first():
            append_row(self.path, {"phase": self.phase, **state.history[-1]})

"""The metrics of each epoch, written to the run's folder as training goes on."""

from __future__ import annotations

import json
from pathlib import Path

from harmonium.files import write_atomically
from harmonium.learning import Callback, TrainingState
from harmonium.processes import is_first
from harmonium.runs.folder import read_rows


class MetricsLog(Callback):
    """Appends each epoch's metrics to metrics.jsonl; rows from beyond the checkpoint that training goes on from are dropped."""

    def __init__(self, path: Path, phase: str) -> None:
        self.path, self.phase = path, phase

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        rows = read_rows(self.path)
        kept = [row for row in rows if row["phase"] != self.phase or row["epoch"] <= state.epoch]
        if kept != rows:
            write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def on_epoch(self, state: TrainingState) -> None:
        if is_first():
            with open(self.path, "a") as file:
                file.write(json.dumps({"phase": self.phase, **state.history[-1]}) + "\n")

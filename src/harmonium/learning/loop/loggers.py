"""Callbacks that write each epoch's metrics where other programs read them."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from harmonium.files import write_atomically
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback
from harmonium.processes import is_first

Row = dict[str, float]
COUNTS = ("training", "epoch", "step")


class Trainings:
    """The trainings that one callback watches, in the order in which they began. A stack has one per layer."""

    def __init__(self) -> None:
        self.histories: list[list[Row]] = []

    def number(self, state: TrainingState) -> int:
        """The place of this training, from 1. It stays the same where training continues from the state."""
        places = [place for place, history in enumerate(self.histories, start=1) if history is state.history]
        if not places:
            self.histories.append(state.history)
        return places[0] if places else len(self.histories)


class CSVLogger(Callback):
    """Writes the metrics to a plain CSV file: one row per epoch, one column per metric.

    The file is written anew after each epoch, whole or not at all. Training that is resumed or continued goes on in the same file, without
    the rows of epochs that are done again. Where one logger watches several trainings, such as the layers of `greedy`, a first column
    `training` counts them.

    Parameters
    ----------
    path : path-like
        The file. Whatever it holds is replaced.

    Examples
    --------
    >>> from pathlib import Path
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), epochs=3, callbacks=hm.CSVLogger("log.csv"), progress=False)
    >>> lines = Path("log.csv").read_text().splitlines()
    >>> len(lines), lines[0].split(",")[:3]
    (4, ['epoch', 'step', 'reconstruction_error'])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path, self.trainings = Path(path), Trainings()
        if self.path.is_dir():
            raise ValueError(f"a CSVLogger writes one file, and {path} is a folder")

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.trainings.number(state)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def on_epoch(self, state: TrainingState) -> None:
        self._write()

    def _write(self) -> None:
        several = len(self.trainings.histories) > 1
        rows = [
            {"training": number, **row} if several else row
            for number, history in enumerate(self.trainings.histories, start=1)
            for row in history
        ]
        text = io.StringIO()
        table = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
        table.writeheader()
        table.writerows({name: int(value) if name in COUNTS else value for name, value in row.items()} for row in rows)
        write_atomically(self.path, text.getvalue().encode())


class TensorBoardLogger(Callback):
    """Writes the metrics and the learning rates as TensorBoard's scalars, by the number of updates.

    It needs the extra `tensorboard`. Training that is resumed or continued goes on in the same folder, and TensorBoard hides the points of
    updates that are done again. Where one logger watches several trainings, such as the layers of `greedy`, the second goes to the folder
    `training-2` within it, and so on.

    Parameters
    ----------
    folder : path-like
        The folder, which `tensorboard --logdir` is given.

    Raises
    ------
    ImportError
        If TensorBoard is not installed.

    Examples
    --------
    ``hm.fit(rbm, rows, callbacks=hm.TensorBoardLogger("logs"))`` writes what ``tensorboard --logdir logs`` shows.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # here: an extra
        except ImportError as error:
            raise ImportError("hm.TensorBoardLogger needs TensorBoard: pip install 'harmonium[tensorboard]'") from error
        self.folder, self.trainings, self.make = Path(folder), Trainings(), SummaryWriter
        self.writer: Any = None

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        number = self.trainings.number(state)
        if is_first():
            folder = self.folder if number == 1 else self.folder / f"training-{number}"
            self.writer = self.make(str(folder), purge_step=state.step + 1)

    def on_epoch(self, state: TrainingState) -> None:
        if self.writer is None:
            return
        rates = {f"learning_rate/group_{place}": group["lr"] for place, group in enumerate(state.optimizer.param_groups) if "lr" in group}
        for name, value in {**state.history[-1], **rates}.items():
            if name not in ("epoch", "step"):
                self.writer.add_scalar(name, float(value), state.step)
        self.writer.flush()

    def on_end(self, state: TrainingState) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

"""The newest net of a run, and the figures of its present phase: read from its checkpoints, which are never written to."""

from __future__ import annotations

import math
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmonium.report.page import held_by
from harmonium.runs.folder import CHECKPOINTS, METRICS, RESULTS
from harmonium.runs.metrics_file import read_rows

ROWS = 200  # of the present phase, evenly chosen

Stamp = list[tuple[str, int, int, int]]


@dataclass(frozen=True)
class Net:
    """A net as the page takes it: its header, its tensors, and its number among those seen here."""

    header: dict[str, Any]
    block: str
    version: int


class Watched:
    """A run that is looked at while it learns.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    draw : callable
        Writes the run's interactive page to a path, and returns the path. What it raises is told, and the last net is kept.
    every : float
        Seconds between two looks at the folder, at least.
    rest : float
        Seconds between two looks for each second that the earlier one took: the run has the processor to itself in them.

    Attributes
    ----------
    net : Net or None
        The newest net that could be read.
    word : str
        What hinders the reading of a newer one, or nothing.
    """

    def __init__(self, folder: Path, draw: Callable[[Path], Path], *, every: float = 2.0, rest: float = 20.0) -> None:
        self.folder, self.net, self.word = folder, None, ""
        self._draw, self._every, self._rest = draw, every, rest
        self._looking, self._due = threading.Lock(), -math.inf
        self._seen: Stamp | None = None
        self._phase, self._rows, self._logged = "", list[dict[str, Any]](), Stamp()

    net: Net | None

    @property
    def due(self) -> bool:
        """Whether the folder may be looked at again."""
        return time.monotonic() >= self._due and not self._looking.locked()

    def look(self) -> None:
        """Reads what has changed in the folder. A second look at the same time does nothing."""
        if not self._looking.acquire(blocking=False):
            return
        began = time.monotonic()
        try:
            self._read_net()
            self._read_rows()
        finally:
            now = time.monotonic()
            self._due = now + max(self._every, self._rest * (now - began))
            self._looking.release()

    def news(self) -> dict[str, Any]:
        """What the page tells of the run: numbers, the phase's name and a sentence, no more."""
        written = max((changed for _, changed, _, _ in self._seen or ()), default=None)
        return {
            "version": 0 if self.net is None else self.net.version,
            "word": self.word,
            "finished": (self.folder / RESULTS).is_file(),
            "seconds": None if written is None else max(0.0, time.time() - written / 1e9),
            "phase": self._phase,
            "rows": self._rows,
        }

    def _read_net(self) -> None:
        stamp = _stamp([*self.folder.glob("*.safetensors"), *(self.folder / CHECKPOINTS).glob("*.safetensors")])
        if stamp == self._seen:
            return
        try:
            with tempfile.TemporaryDirectory() as room, warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)  # that a checkpoint is damaged, and the one before was read
                header, block = held_by(self._draw(Path(room) / "page.html").read_text(encoding="utf-8"))
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            self.word = _sentence(str(error))
        else:
            self.word = _sentence(str(told[0].message)) if told else ""
            if self.net is None or (header, block) != (self.net.header, self.net.block):
                self.net = Net(header, block, 1 if self.net is None else self.net.version + 1)
        self._seen = stamp

    def _read_rows(self) -> None:
        logged = _stamp([self.folder / METRICS])
        if logged == self._logged:
            return
        rows = read_rows(self.folder / METRICS)
        self._phase = str(rows[-1]["phase"]) if rows else ""
        rows = [row for row in rows if row["phase"] == self._phase]
        step = max(1, math.ceil(len(rows) / ROWS))
        self._rows, self._logged = [_figures(row) for row in rows[(len(rows) - 1) % step :: step]], logged  # the last row is among them


def _stamp(paths: list[Path]) -> Stamp:
    """What tells one content of files from another: they are replaced, never written into."""
    found = []
    for path in sorted(paths):
        try:
            status = path.stat()
        except OSError:  # it is just being replaced or deleted
            continue
        found.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return found


def _figures(row: dict[str, Any]) -> dict[str, float | None]:
    numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _sentence(words: str) -> str:
    words = " ".join(words.split())
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."

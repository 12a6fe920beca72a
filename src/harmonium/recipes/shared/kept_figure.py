"""Figures that are computed without epochs: how long that takes, and that it is done once in a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harmonium.files import read_tensors, write_tensors
from harmonium.runs.folder import METRICS, Run
from harmonium.runs.metrics_file import append_row


@contextmanager
def timed(run: Run, phase: str) -> Iterator[None]:
    """Writes how long a phase without epochs of its own takes into the run's metrics."""
    began = time.monotonic()
    yield
    append_row(run.folder / METRICS, {"phase": phase, "epoch": 1, "seconds": round(time.monotonic() - began, 3)})


def kept(run: Run, name: str, figure: Callable[[], float]) -> float:
    """The figure, computed and timed once; read from the run where it is there."""
    path = run.checkpoint(name)
    if not path.exists():
        with timed(run, name):
            value = figure()
        write_tensors(path, {}, {"figure": value})
    return float(read_tensors(path)[1]["figure"])

"""Learning as a phase of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from harmonium.runs.folder import Run

State = TypeVar("State")


def in_run(run: Run, phase: str, learn: Callable[..., State]) -> Callable[..., State]:
    """`fit` or `fine_tune` as a phase: in the run's precision, its figures in the run's log, going on from its checkpoint.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    learn
        The function, whose other arguments the result takes.
    """
    return partial(learn, precision=run.precision, callbacks=run.callbacks(phase), checkpoint=run.checkpoint(phase), progress=False)

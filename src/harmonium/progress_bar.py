"""The progress of a loop over known steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Step = TypeVar("Step")
EVERY = 60.0  # seconds between lines


def shown(steps: list[Step], name: str, progress: bool) -> Iterable[Step]:
    """The steps, with the time left if `progress` is set: in a bar if standard error is a terminal, and otherwise in a line a minute."""
    if not progress:
        return steps
    if not sys.stderr.isatty():
        return told(steps, name)
    import rich.progress  # here: only a bar needs it
    from rich.console import Console

    return rich.progress.track(steps, name, console=Console(stderr=True), transient=True)


def told(steps: list[Step], name: str) -> Iterator[Step]:
    """The steps. Standard error has a line a minute: the share that is done, the time since the first step and the time left."""
    begun = last = time.monotonic()
    for done, step in enumerate(steps):
        now = time.monotonic()
        if done and now - last >= EVERY:
            last, past = now, now - begun
            left = past / done * (len(steps) - done)
            print(f"{name}: {done / len(steps):.0%}  {past:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)
        yield step

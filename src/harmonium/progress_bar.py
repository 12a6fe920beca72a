"""The progress bar of a loop over known steps."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

Step = TypeVar("Step")


def shown(steps: list[Step], name: str, progress: bool) -> Iterable[Step]:
    """The steps, with a progress bar and the time left if `progress` is set and standard error is a terminal."""
    if not (progress and sys.stderr.isatty()):
        return steps
    import rich.progress  # here: only a bar needs it
    from rich.console import Console

    return rich.progress.track(steps, name, console=Console(stderr=True), transient=True)

"""Ctrl-C on the command line, at any moment: one sentence, and the end.

An exception could come in the midst of an import, which then fails in its own way, or is lost. Nothing needs to be cleaned up: whatever the
program writes, it writes whole or not at all. Within training an interrupt is deferred until the present step is saved (see
`harmonium.learning.loop.trainer`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def leaving_with(words: str) -> Iterator[None]:
    """Within this, Ctrl-C prints the words and ends the process with exit code 1."""

    def leave(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed again: it is ending already
        with contextlib.suppress(Exception):  # what was printed may be half way out
            sys.stdout.flush()
        os.write(2, f"{words}\n".encode())
        os._exit(1)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

"""The lock of a run's folder: one process learns there at a time."""

from __future__ import annotations

from pathlib import Path

LOCK = ".lock"


class Lock:
    """Held by the process that learns in a folder, until it releases it or ends, however it ends.

    The lock is the operating system's, on an open file, so that a file that a killed process has left holds nobody up. It says nothing to
    readers: reports and samples of a run that is learning are drawn from its last checkpoint.

    Parameters
    ----------
    folder : pathlib.Path
        Where the lock's file is, a folder that exists.
    where : str
        Where learning goes on, for the message.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    """

    def __init__(self, folder: Path, where: str) -> None:
        from filelock import FileLock, Timeout  # here: help and lists need no lock

        self._held = FileLock(folder / LOCK)
        try:
            self._held.acquire(blocking=False)
        except Timeout:
            raise BlockingIOError(f"another process is learning {where}: wait until it is done, or stop it first") from None

    def release(self) -> None:
        """Lets another process learn here."""
        self._held.release()

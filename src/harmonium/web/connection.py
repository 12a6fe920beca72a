"""A connection of the server, which ends where nothing comes of it.

uvicorn has a limit of time between an answer and the next request alone. Whoever opens a connection and is silent, who sends a request
letter by letter, or who does not read the answer, would hold one of the server's connections for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 30.0  # seconds from a connection's beginning, or from an answer, to the end of the next answer


class Connection(H11Protocol):
    """HTTP/1.1, cut off where an answer is not over `PATIENCE` after the one before."""

    _end: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first answer."""
        super().connection_made(transport)
        self._wait()

    def on_response_complete(self) -> None:
        """Waits for the next answer."""
        self._end.cancel()
        self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._end.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._end = self.loop.call_later(PATIENCE, self.transport.abort)  # not closed: what nobody reads is not waited for

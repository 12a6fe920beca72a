"""What stands before the page: who may ask, for what, and how much at once. Everything else is refused in a sentence."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_AT_ONCE = 32  # requests that are being answered
MOST_BYTES = 1024  # of a request's body
METHODS = {"": "GET", "news": "GET", "net": "POST"}
"""What there is to ask for, and how."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Lets the page's own requests through to an application, which sees them without the token.

    Another site that a reader visits could send requests to this machine, or make its own name point to it: the host asked for and the site
    that asks must be the page's own. Another user of the machine does not know the token.

    Parameters
    ----------
    application : ASGI application
        What answers.
    names : iterable of str
        HOST:PORT of the server, under each name that it has.
    token : str
        The first part of every address.
    """

    def __init__(self, application: ASGIApp, *, names: Iterable[str], token: str) -> None:
        self._application, self._token = application, token.encode()
        self._names = frozenset(names)
        self._origins = frozenset(f"http://{name}" for name in self._names)
        self._answering = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        if self._answering >= MOST_AT_ONCE:
            await _refuse(503, "too many requests at once", {"Retry-After": "1"})(scope, receive, send)
            return
        self._answering += 1
        try:
            answer = self._refusal(scope) or self._application
            place = "/" + scope["path"].removeprefix("/").partition("/")[2]
            await answer({**scope, "path": place, "raw_path": place.encode(), "root_path": ""}, receive, _with_headers(send))
        finally:
            self._answering -= 1

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            return _refuse(421, f"this server answers at {min(self._names)} alone")
        if origins and (len(origins) != 1 or origins[0].lower() not in self._origins):
            return _refuse(403, "another site's page asks")
        token, slash, place = scope["path"].removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self._token):
            return _refuse(403, "the address lacks the token: open the one that `harmonium watch` printed")
        if not slash or place not in METHODS:
            return _refuse(404, "there is nothing at this address")
        if scope["method"] != METHODS[place]:
            return _refuse(405, f"this address takes {METHODS[place]} alone", {"Allow": METHODS[place]})
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > MOST_BYTES:
            return _refuse(413, f"a request is at most {MOST_BYTES} bytes long")
        return None


def _refuse(status: int, why: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    return PlainTextResponse(f"Refused: {why}.\n", status, {**(headers or {}), "Connection": "close"})


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            more: list[tuple[bytes, Any]] = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sent

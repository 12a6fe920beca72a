"""The server: a socket of this machine, a token that nobody can guess, and the address to open."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from collections.abc import Callable

from .watched import Watched

MOST_CONNECTIONS = 128  # open at once; of more, each is answered 503 and closed
EXTRA = "a run is watched through starlette and uvicorn: pip install 'harmonium[web]'"


def serve(watched: Watched, *, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serves the page of a run until it is told to stop.

    Parameters
    ----------
    watched : Watched
        The run.
    host : str
        The address of this machine to answer at.
    port : int
        The port; 0 for a free one.
    say : callable
        Is given the address to open, in a sentence.

    Raises
    ------
    ValueError
        The extra `web` is not installed, the port is taken, or the address is none of this machine's.
    """
    try:
        import uvicorn

        from .application import application
        from .connection import Connection
        from .guard import Guard
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("harmonium"):
            raise
        raise ValueError(EXTRA) from error
    with _listen(host, port) as listening:
        token, names = secrets.token_urlsafe(24), _names(host, listening.getsockname()[1])
        config = uvicorn.Config(
            Guard(application(watched), names=names, token=token),
            http=Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            backlog=MOST_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=1,
        )
        watched.look()
        if watched.net is None:
            say(f"{watched.folder} has nothing to show yet, and the page waits for it. {watched.word}")
        say(f"Watching {watched.folder}, until Ctrl-C: http://{names[0]}/{token}/")
        if hasattr(os, "nice"):
            os.nice(10)  # learning comes first
        uvicorn.Server(config).run(sockets=[listening])


def _names(host: str, port: int) -> list[str]:
    """HOST:PORT under each name of the server, the address itself first."""
    address = ipaddress.ip_address(host)
    found = [f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"]
    return [*found, f"localhost:{port}"] if address.is_loopback else found


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens. ValueError, in a sentence, where there can be none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"--host is an address of this machine such as 127.0.0.1, found {host!r}") from None
    if address.is_unspecified:
        raise ValueError(f"--host is one address of this machine, at which the page is asked for, found {host}, which is all of them")
    if not 0 <= port < 65536:
        raise ValueError(f"--port is a number from 0, for a free one, to 65535, found {port}")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        try:
            with socket.create_server((host, 0), family=family) as other:
                free = other.getsockname()[1]
        except OSError:
            raise ValueError(f"--host {host} is no address of this machine ({why})") from error
        raise ValueError(f"port {port} of {host} cannot be had ({why}): --port {free} is free") from error

"""Connections of which nothing comes: the server ends them, and answers others meanwhile."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

uvicorn = pytest.importorskip("uvicorn", reason="needs the extra web: pip install 'harmonium[web]'")

from uvicorn.server import ServerState  # noqa: E402

from harmonium.web import connection  # noqa: E402

LONG = 20_000_000  # bytes of an answer: more than the system keeps for a reader who does not read
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"GET /%s HTTP/1.1\r\nHost: x\r\n"


async def answer(scope, receive, send) -> None:
    """All that is asked of it, where a body comes with it."""
    while (await receive()).get("more_body"):
        pass
    body = b"x" * (LONG if scope["path"] == "/long" else 1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def letter_by_letter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        for letter in HEAD % b"" + b"X: " + b"y" * 1000:
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.01)


async def letter_by_letter_after_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % b"" + b"\r\n")
    await reader.readuntil(b"\r\n\r\nx")
    await letter_by_letter(reader, writer)


async def no_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD.replace(b"GET", b"POST") % b"" + b"Content-Length: 9\r\n\r\n")


async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD % b"long" + b"\r\n")


async def held(talk: Talk) -> tuple[int, int]:
    """Connections that the server has after a time in which it could end them, and while one that asks again and again is kept."""
    config, state = uvicorn.Config(answer, log_config=None, lifespan="off", timeout_keep_alive=10), ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: connection.Connection(config, state, {}, loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    other_reader, other = await asyncio.open_connection("127.0.0.1", port)
    talking = asyncio.ensure_future(talk(reader, writer))
    for _ in range(6):  # for twice as long as the server is patient
        other.write(HEAD % b"" + b"\r\n")
        await other_reader.readuntil(b"\r\n\r\nx")
        await asyncio.sleep(connection.PATIENCE / 3)
    kept = len(state.connections)
    talking.cancel()
    for each in (writer, other):
        each.close()
    server.close()
    while state.connections:
        await asyncio.sleep(0.01)
    return kept, state.total_requests


@pytest.mark.parametrize("talk", [silent, letter_by_letter, letter_by_letter_after_an_answer, no_body, never_reads])
def test_a_connection_of_which_nothing_comes_ends_and_others_are_kept(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.6)
    kept, answered = asyncio.run(asyncio.wait_for(held(talk), 30))
    assert kept == 1
    assert answered >= 6

"""The page of a run that is learning, its news and its newest net, as a web application. Nothing else is served."""

from __future__ import annotations

import asyncio
import html
import json

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from harmonium.report.page import document

from .guard import MOST_BYTES
from .watched import Watched

PATIENCE = 5.0  # seconds for a request's body
WAITING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta http-equiv="refresh" content="3">
<title>Waiting for a net</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 40rem; margin: 4rem auto; padding: 0 1rem; font: 1.1rem/1.5 system-ui, sans-serif; }}
</style>
<h1>Waiting for a net</h1>
<p>The run has nothing to show yet. This page looks again every three seconds.</p>
<p>{word}</p>
</html>
"""


def application(watched: Watched) -> Starlette:
    """What the server answers, once a request may be answered (see `guard`)."""

    async def renewed() -> None:
        if watched.due:
            await run_in_threadpool(watched.look)

    async def page(request: Request) -> Response:
        await renewed()
        net = watched.net
        if net is None:
            return HTMLResponse(WAITING.format(word=html.escape(watched.word)))
        header = {**net.header, "version": net.version}
        return HTMLResponse(await run_in_threadpool(document, header, net.block, live=True))

    async def news(request: Request) -> Response:
        await renewed()
        return JSONResponse(watched.news())

    async def newest(request: Request) -> Response:
        have = await _have(request)
        net = watched.net
        if net is None or net.version == have:
            return JSONResponse({"version": have})
        return JSONResponse({"version": net.version, "header": net.header, "block": net.block})

    routes = [Route("/", page), Route("/news", news), Route("/net", newest, methods=["POST"])]
    found = Starlette(routes=routes)
    found.router.redirect_slashes = False
    return found


async def _have(request: Request) -> int:
    """The number of the net that the page has."""
    try:
        have = json.loads(await asyncio.wait_for(_body(request), PATIENCE))["have"]
    except TimeoutError:
        raise HTTPException(408, "the request's body did not come") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        have = None
    if type(have) is not int:
        raise HTTPException(400, 'the body is {"have": N}, N the number of the net that the page has')
    return have


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"a request is at most {MOST_BYTES} bytes long")
    return body

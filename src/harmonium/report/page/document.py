"""The page's HTML, put together from the plain sources beside this module; and what such a page holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

HERE = Path(__file__).parent
WORKER = ("random.js", "unpack.js", "net.js", "top_down.js", "mind.js", "worker.js")
"""The scripts that compute, in a thread of their own."""
SCRIPTS = (
    "random.js",
    "colours.js",
    "grid.js",
    "pictures.js",
    "ask.js",
    "address.js",
    "pad.js",
    "stage.js",
    "gallery.js",
    "controls.js",
    "inspector.js",
    "trace.js",
    "tour.js",
    "main.js",
)
"""The scripts that draw and listen."""
LIVE_WORKER, LIVE_SCRIPTS = ("survey.js",), ("learning.js",)
"""What is added while a run is watched: they survey each new net, and ask the page's server for it."""
HELD = re.compile(r'<script type="application/json" id="header">(.*?)</script>\n<script type="text/plain" id="block">(.*?)</script>', re.S)


def document(header: dict[str, Any], block: str, *, live: bool = False) -> str:
    """A page as HTML.

    Parameters
    ----------
    header
        The net, its pictures and its title, as JSON.
    block
        Their tensors, as `packed.Block.text` gives them.
    live
        Whether the page asks the server that it came from for newer nets. Else it asks nobody for anything.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    worker, script = _sources(WORKER + LIVE_WORKER * live), _sources(SCRIPTS + LIVE_SCRIPTS * live)
    return environment.from_string(_source("page.html")).render(
        title=header["title"],
        style=_source("page.css") + _source("learning.css") * live,
        worker=worker,
        script=script,
        allowed=f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'",
        live=live,
        header=json.dumps(header).replace("<", "\\u003c"),
        block=block,
    )


def held_by(page: str) -> tuple[dict[str, Any], str]:
    """The header and the block of a page that `document` made. ValueError for another text."""
    found = HELD.search(page)
    if found is None:
        raise ValueError("this is no interactive page of a net: hm.report.page writes one")
    header: dict[str, Any] = json.loads(found[1])
    return header, found[2]


def _sources(names: Sequence[str]) -> str:
    """Scripts as one, in a scope of its own."""
    return '(() => {\n"use strict";\n' + "\n".join(_source(name) for name in names) + "})();\n"


def _source(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")

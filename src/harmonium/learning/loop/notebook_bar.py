"""A progress bar for notebooks: one output of HTML that is written anew."""

from __future__ import annotations

import time
from html import escape
from importlib import import_module
from typing import Any

SECONDS = 0.25  # between updates, which the browser draws
DELAY = 1.0  # before the bar appears: what ends sooner needs none


class NotebookBar:
    """A bar with a line of text, in the output of the cell. `done` counts up to `total`; None where that is unknown."""

    def __init__(self, name: str, total: int | None) -> None:
        self.display = import_module("IPython.display")
        self.name, self.total, self.done, self.text = name, total, 0, ""
        self.began = self.drawn = time.monotonic()
        self.first: int | None = None
        self.handle: Any = None

    def update(self, done: int, text: str | None = None, now: bool = False) -> None:
        """Shows how much is done, at most every quarter of a second unless it must be `now`; nothing in the first second."""
        self.first = done if self.first is None else self.first
        self.done, self.text = done, self.text if text is None else text
        present = time.monotonic()
        if self.handle is None and present - self.began >= DELAY:
            self.handle = self.display.display(self._page(), display_id=True)
        elif self.handle is not None and (now or present - self.drawn > SECONDS):
            self.handle.update(self._page())
        else:
            return
        self.drawn = present

    def _page(self) -> object:
        share = f'value="{self.done}" max="{self.total}"' if self.total else ""
        words = "&ensp;".join(escape(each) for each in (self.name, self.text, self._left()) if each)
        bar = f'<progress {share} style="width:16em;vertical-align:middle"></progress>'
        return self.display.HTML(f'<div style="font:13px/1.5 system-ui,sans-serif;color:inherit">{bar}&ensp;{words}</div>')

    def _left(self) -> str:
        """The time left, or taken."""
        seconds = time.monotonic() - self.began
        made = self.done - (self.first or 0)
        if self.total is None or self.done >= self.total or made < 1:
            return f"{seconds:.0f} s"
        return f"{seconds / made * (self.total - self.done):.0f} s left"

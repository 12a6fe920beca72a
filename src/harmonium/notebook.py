"""What notebooks show of objects of every room.

The pictures are drawn in `harmonium.report`, above the rooms of models, likelihood and learning. So it is imported by name, when a notebook
asks: no room depends on it, and a program without notebooks never loads it.
"""

from __future__ import annotations

import sys
from importlib import import_module


def as_html(self: object) -> str:
    """The object as self-contained HTML: what a class names `_repr_html_`. See `harmonium.report.card`."""
    page: str = import_module("harmonium.report").card(self)
    return page


def in_notebook() -> bool:
    """Whether the program runs in a notebook, which shows HTML. A terminal does not, one of IPython included."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"

"""The package's docstrings are prose for a reader of the source: here they become reStructuredText.

Names stand in single backquotes, equations in indented blocks, shapes as (*leading, *shape) in the open text. The sections of
numpydoc have become fields and rubrics by then; roles, references and doctests stay as they are.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

import harmonium

CODE = re.compile(r"((?::[\w:]+:)?`+[^`]+`+|\[\w+\]_)")  # with its role, if it has one; or a reference to a footnote
EMPHASIS = re.compile(r"(?<!\w)(\*{1,2}[^*\s](?:[^*]*[^*\s])?\*{1,2})(?!\w)")  # its stars stay; those of shapes do not
NAME = re.compile(r"^`(?:hm\.)?([\w.]+)(\(\))?`$")
FIELD = re.compile(r"^\s*:[^:]+:\s")  # :param states: ..., as napoleon writes it


def _line(text: str) -> str:
    """Outside code, what reStructuredText would take for markup is escaped; `hm.fit` leads to where it is documented."""
    parts = CODE.split(text)
    for place, part in enumerate(parts):
        if place % 2:
            name = NAME.match(part)
            known = name and (part.startswith("`hm.") or name[1] in harmonium.__all__)
            parts[place] = f":py:obj:`{part[1:-1]} <harmonium.{name[1]}>`" if name and known else part
        else:
            open_text = EMPHASIS.split(part)
            open_text[::2] = [text.replace("*", "\\*") for text in open_text[::2]]
            parts[place] = "".join(open_text).replace("|", "\\|").replace("_ ", "\\_ ")
    return "".join(parts)


def to_rst(lines: list[str]) -> list[str]:
    """Docstring lines whose indented blocks are literal, and whose other lines are prose."""
    found: list[str] = []
    literal = doctest = False
    for line in lines:
        doctest = line.lstrip().startswith(">>>") or (doctest and bool(line.strip()))
        indent = len(line) - len(line.lstrip())
        after_blank = bool(found) and not found[-1].strip()
        field = next((text for text in reversed(found) if text.strip()), "").lstrip()
        if line.strip() and not literal and not doctest and indent >= 4 and after_blank and not field.startswith((":", "..", "- ")):
            found += ["::", ""]
            literal = True
        elif line.strip() and indent < 4:
            literal = False
        label = FIELD.match(line)
        start = label.end() if label else 0
        found.append(line if literal or doctest or line.lstrip().startswith("..") else line[:start] + _line(line[start:]))
    return found


def _keep(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """What napoleon would read as a type, because a colon follows, in the docstring of a property."""
    if what in ("property", "attribute", "data"):
        app.env.temp_data["plain"] = list(lines)


def _process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what in ("property", "attribute", "data"):
        lines[:] = app.env.temp_data.pop("plain", lines)
    lines[:] = to_rst(lines)
    app.env.note_dependency(__file__)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _keep, priority=100)  # before napoleon
    app.connect("autodoc-process-docstring", _process, priority=900)  # after it
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Text files of corpora: Kaldi-style lists, an id and its fields in a line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from harmonium.data.text_file import read_text


class Line(NamedTuple):
    """What stands in a list about one id: its fields, and where, "file, line n"."""

    fields: list[str]
    where: str


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """(where, text) of each line that is not blank. Raises ValueError for a file that is no text, FileNotFoundError for none."""
    lines = read_text(path).splitlines()
    yield from ((f"{path}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip())


def table(path: Path, least: int = 1) -> dict[str, Line]:
    """A list by its ids, each with its fields. Raises ValueError, with file and line, for less than `least`, or for an id told twice."""
    found: dict[str, Line] = {}
    for where, text in lines_of(path):
        name, *fields = text.split()
        if name in found:
            raise ValueError(f"{where}: {name} is listed a second time, after {found[name].where.rpartition(', ')[2]}")
        if len(fields) < least:
            raise ValueError(f"{where}: expected an id and what belongs to it, found {text.strip()!r}")
        found[name] = Line(fields, where)
    return found


def entry(lists: dict[str, Line], name: str, path: Path) -> Line:
    """The line of an id. ValueError where the list, of this file, has none."""
    if name not in lists:
        raise ValueError(f"{path} has no line for {name}")
    return lists[name]


def check_phones(phones: Collection[str], known: Collection[str], where: str) -> None:
    """Raise a ValueError, with file and line, for a phone that is not among those known."""
    unknown = next((phone for phone in phones if phone not in known), None)
    if unknown is not None:
        raise ValueError(f"{where}: {unknown!r} is not one of the {len(known)} phones {' '.join(sorted(known))}")

"""The rows of metrics.jsonl: one JSON object a line, with a checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harmonium.files import append_line, write_atomically

CHECK = "crc32"  # of the row without it, as it is written


def line(row: Mapping[str, Any]) -> str:
    """A row as it is written.

    Examples
    --------
    >>> line({"phase": "layer 1", "epoch": 1.0})
    '{"phase": "layer 1", "epoch": 1.0, "crc32": "c90a5447"}\\n'
    """
    return json.dumps({**row, CHECK: _checksum(row)}) + "\n"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The undamaged rows of a file, without their checksums. Half a line, where a run was killed, is no row.

    Rows of earlier versions have no checksum, and count if all of their figures are numbers.
    """
    rows = []
    for text in path.read_bytes().splitlines() if path.exists() else ():
        try:
            row = json.loads(text)
            found = row.pop(CHECK, None)
        except (ValueError, AttributeError, TypeError, RecursionError):
            continue
        if isinstance(row.get("phase"), str) and (found == _checksum(row) or (found is None and _is_plain(row))):
            rows.append(row)
    return rows


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Adds a row to a file whose folder exists. It begins a line of its own, also after half a line."""
    append_line(path, line(row).encode())


def rewrite_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Makes these the rows of a file, unless it holds nothing else already."""
    content = "".join(map(line, rows)).encode()
    if (path.read_bytes() if path.exists() else b"") != content:
        write_atomically(path, content)


def _is_plain(row: Mapping[str, Any]) -> bool:
    return all(isinstance(value, int | float) for name, value in row.items() if name != "phase")


def _checksum(row: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(row).encode()):08x}"

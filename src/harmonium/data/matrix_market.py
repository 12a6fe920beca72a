"""A reader of Matrix Market files that no bytes can crash. SciPy's (1.17) is a compiled one that four bytes at a file's end can kill.

The format: Boisvert, Pozo & Remington, "The Matrix Market exchange formats", NISTIR 5935 (1996).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO, Any

import numpy as np

LONGEST = 1 << 10  # bytes of a line
MOST_EMPTY = 1 << 22  # rows, and columns, without an entry
NUMBERS = {b"real": np.float64, b"double": np.float64, b"integer": np.int64, b"pattern": np.int64}
SIGNS = {b"general": 0, b"symmetric": 1, b"skew-symmetric": -1}  # of an entry on the other side of the diagonal
Array = np.ndarray[Any, Any]


def read_matrix(path: Path) -> Any:
    """The matrix in a file of real numbers: sparse in compressed rows, or an array. Raises a ValueError for any other file."""
    with path.open("rb") as file:
        words = file.readline(LONGEST).lower().split()
        if len(words) != 5 or words[:2] != [b"%%matrixmarket", b"matrix"] or words[2] not in (b"coordinate", b"array"):
            raise ValueError(f"{path} is no Matrix Market file: it begins with {b' '.join(words)[:60]!r}")
        if words[3] not in NUMBERS or words[4] not in SIGNS or (words[2], words[3]) == (b"array", b"pattern"):
            raise ValueError(f"{path} must hold real numbers, found {b' '.join(words[2:]).decode(errors='replace')[:60]}")
        sizes, lines = _sizes(path, file, 3 if words[2] == b"coordinate" else 2)
        if min(sizes) < 0 or (SIGNS[words[4]] and sizes[0] != sizes[1]):
            raise ValueError(f"{path} has a {words[4].decode()} matrix of sizes {sizes}")
        if words[2] == b"array":
            return _array(path, sizes, lines, NUMBERS[words[3]], SIGNS[words[4]])
        return _sparse(path, sizes, lines, words[3], SIGNS[words[4]])


def _sizes(path: Path, file: IO[bytes], count: int) -> tuple[list[int], list[bytes]]:
    """The numbers of rows, of columns and, of a sparse matrix, of entries; and the lines that follow."""
    lines = [line for line in file if line.strip() and not line.startswith(b"%")]
    words = lines[0].split() if lines else []
    if len(words) != count or not all(word.isdigit() and len(word) < 16 for word in words):
        raise ValueError(f"{path} has no sizes: expected a line of {count} whole numbers, found {b' '.join(words)[:60]!r}")
    return [int(word) for word in words], lines[1:]


def _table(path: Path, lines: list[bytes], shape: tuple[int, int], kind: Any) -> Array:
    """The numbers in lines, as many as the sizes say."""
    if len(lines) != shape[0]:
        raise ValueError(f"{path} says that it has {shape[0]:,} entries, and {len(lines):,} lines follow")
    if not lines:
        return np.zeros(shape, kind)
    try:
        found: Array = np.loadtxt(lines, kind, comments=None, ndmin=2)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} has a line that cannot be read: {error}") from error
    if found.shape != shape:
        raise ValueError(f"{path} has lines of {found.shape[1]} numbers, and {shape[1]} are expected")
    return found


def _array(path: Path, sizes: list[int], lines: list[bytes], kind: Any, sign: int) -> Array:
    """A matrix whose columns follow each other, or what is of them below the diagonal."""
    if not sign:
        return _table(path, lines, (math.prod(sizes), 1), kind).reshape(sizes, order="F")
    entries = sizes[0] * (sizes[0] + sign) // 2
    values = _table(path, lines, (entries, 1), kind)[:, 0]
    columns, rows = np.triu_indices(sizes[0], int(sign < 0))
    found = np.zeros(sizes, kind)
    found[rows, columns], found[columns, rows] = values, sign * values
    return found


def _sparse(path: Path, sizes: list[int], lines: list[bytes], field: bytes, sign: int) -> Any:
    from scipy import sparse  # here, so that importing the package does not wait for SciPy

    rows, columns, entries = sizes
    if max(rows, columns) > entries + MOST_EMPTY:
        raise ValueError(f"{path} says that it has {rows:,} rows and {columns:,} columns for {entries:,} entries: is it damaged?")
    table = _table(path, lines, (entries, 2 if field == b"pattern" else 3), NUMBERS[field])
    values = np.ones(entries, np.int64) if field == b"pattern" else table[:, 2]
    places = table[:, :2] - 1
    if not ((places >= 0) & (places < [rows, columns]) & (places == np.round(places))).all():  # NaN is nowhere
        raise ValueError(f"{path} has an entry outside of its {rows:,} rows and {columns:,} columns")
    places = places.astype(np.int64)
    if sign:
        other = places[:, 0] != places[:, 1]
        places, values = np.concatenate([places, places[other, ::-1]]), np.concatenate([values, sign * values[other]])
    return sparse.coo_matrix((values, places.T), (rows, columns)).tocsr()

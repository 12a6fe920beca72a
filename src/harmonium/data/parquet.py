"""Parquet files, read by a library of frames once what they say of their sizes fits.

The format: https://github.com/apache/parquet-format. A compiled library that is told of 2^31 values asks for the memory first, and ends the
process where there is none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from harmonium.data.thrift import Thrift

MARK = b"PAR1"
FREE, EXPANSION = 64 << 20, 20_000  # bytes that any file may take in memory; times its size that a larger one may, as runs of zeros do
VALUE = 16  # bytes of a value, or of where a text is
ROWS, GROUPS, COLUMNS, CHUNK = 3, 4, 1, 3  # fields of the footer, of a group of rows, and of a column
VALUES, PACKED, FIRST_DATA, FIRST_LABELS = 5, 7, 9, 11  # of a column's chunk
UNPACKED_PAGE, PACKED_PAGE, PAGES_OF_VALUES = 2, 3, (5, 7, 8)  # of a page


def read_parquet(path: str | os.PathLike[str]) -> Any:
    """The frame in a file: of polars, or of pandas where there is no polars.

    Parameters
    ----------
    path : str or path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        For a damaged file, one that would take far more memory than it has bytes, and without a library that reads it.

    Examples
    --------
    >>> import polars
    >>> polars.DataFrame({"height": [1.7, 1.5]}).write_parquet("people.parquet")
    >>> read_parquet("people.parquet")["height"].to_list()
    [1.7, 1.5]
    """
    path = Path(path)
    from_polars = find_spec("polars") is not None
    if not from_polars and find_spec("pandas") is None:
        raise ValueError(f"{path} is read by polars or pandas: `pip install 'harmonium[frames]'`, or write a .csv file")
    check_sizes(path)
    library = import_module("polars" if from_polars else "pandas")
    try:
        with _silent():
            return library.read_parquet(path)
    except ImportError as error:
        raise ValueError(f"{path} cannot be read: pandas needs pyarrow for it, or install polars") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the libraries' errors of damaged files have no class in common; a panic of polars is no Exception
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f"{path} is no Parquet file that can be read: {first}") from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing is printed as an error: polars does that with a panic, beside raising it."""
    with open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def check_sizes(path: Path) -> None:
    """Raises a ValueError for no Parquet file, for one whose parts do not fit into it, and one that would take far more memory than bytes.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            need = _need(content)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} is no complete Parquet file: its description cannot be read ({error!r})") from error
    most = max(FREE, EXPANSION * size)
    if need > most:
        limit = f"at most {most:,} are taken for a file of {size:,}: if it is what it says, read it in Python, for hm.data.from_frame"
        raise ValueError(f"{path} describes a table of {need:,} bytes, and {limit}")


def _need(content: mmap) -> int:
    """Bytes that the table takes in memory, by its own description."""
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    if len(content) < 12 or content[:4] != MARK or content[-4:] != MARK or end < 4:
        raise ValueError(f"it does not begin and end with {MARK.decode()}")
    footer = Thrift(content[end:-8]).structure()
    need = 0
    for group in footer[GROUPS]:
        for column in group[COLUMNS]:
            chunk = column[CHUNK]
            pages = list(_pages(content, end, chunk))
            need += VALUE * max(group[ROWS], chunk[VALUES], sum(values for values, _ in pages)) + sum(size for _, size in pages)
    return max(need, VALUE * int(footer[ROWS]))


def _pages(content: mmap, footer: int, chunk: dict[int, Any]) -> Iterator[tuple[int, int]]:
    """The values and the bytes of each page of a column, all of them before the footer."""
    place = min(chunk[FIRST_DATA], chunk.get(FIRST_LABELS, chunk[FIRST_DATA]))
    end = place + chunk[PACKED]
    if not 4 <= place <= end <= footer:
        raise ValueError("a column lies outside of the file")
    while place < end:
        reader = Thrift(content, place)
        page = reader.structure()
        values = sum(page[field][1] for field in PAGES_OF_VALUES if field in page)
        if min(page[UNPACKED_PAGE], page[PACKED_PAGE], values) < 0:
            raise ValueError("a page of a size below zero")
        yield values, page[UNPACKED_PAGE]
        place = reader.place + page[PACKED_PAGE]
    if place != end:
        raise ValueError("a column's pages do not end where it does")

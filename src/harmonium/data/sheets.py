"""Tables of text, such as CSV files: read without a library of frames, and written with their own cells untouched."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from harmonium.data.frame_libraries import LIBRARIES, Cells, Values

BLANK = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})  # texts that stand for a missing value


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of text, one case per row.

    Parameters
    ----------
    texts : dict of str to list of str
        The cells of each column, as they were written.
    blank : frozenset of str
        The texts that stand for a missing value.
    """

    texts: Mapping[str, Sequence[str]]
    blank: frozenset[str] = BLANK

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.texts)

    def __len__(self) -> int:
        return len(next(iter(self.texts.values()), ()))

    @overload
    def __getitem__(self, name: str) -> Cells: ...
    @overload
    def __getitem__(self, name: list[str]) -> Sheet: ...

    def __getitem__(self, name: str | list[str]) -> Cells | Sheet:
        """One column as numbers, or as texts if one of its cells holds no number; or a sheet of some of the columns."""
        if isinstance(name, list):
            return replace(self, texts={each: self.texts[each] for each in name})
        texts = self.texts[name]
        missing = np.array([text in self.blank for text in texts])
        try:
            numbers = np.array([math.nan if gone else float(text) for text, gone in zip(texts, missing, strict=True)])
        except ValueError:
            return Cells(name, np.array(texts, dtype=object), missing, np.dtype(object))
        whole = bool((np.isfinite(numbers) | missing).all() and (numbers[~missing] == numbers[~missing].round()).all())
        return Cells(name, numbers, missing, np.dtype(np.int64 if whole else np.float64))


class Sheets:
    """`Sheet` as a library of frames."""

    def read(self, frame: Sheet, name: str) -> Cells:
        return frame[name]

    def write(self, columns: Mapping[str, tuple[Values, Any]]) -> Sheet:
        return self.frame({name: values for name, (values, _) in columns.items()})

    def frame(self, columns: Mapping[str, Values]) -> Sheet:
        return Sheet({name: [text_of(value) for value in values] for name, values in columns.items()})

    def replace(self, frame: Sheet, columns: Mapping[str, tuple[Values, Any]]) -> Sheet:
        texts = dict(frame.texts)
        for name, (values, _) in columns.items():
            beside = zip(texts[name], values, strict=True)
            texts[name] = [text_of(new) if old in frame.blank else old for old, new in beside]  # what was seen stays as it was written
        return replace(frame, texts=texts)


LIBRARIES["harmonium"] = Sheets()


def text_of(value: Any) -> str:
    """A value as a cell: whole numbers without a point, a missing value as nothing.

    Examples
    --------
    >>> text_of(2.0), text_of(0.5), text_of(None), text_of("red")
    ('2', '0.5', '', 'red')
    """
    if value is None or bool(value != value):  # NaN and NaT
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else f"{number:.7g}"
    return str(value)


def parse(text: str, what: str, blank: frozenset[str] = BLANK) -> Sheet:
    """The sheet that a text of separated values holds.

    The separator is a tab, semicolon or comma, whichever is most frequent in the first line. The first line names the columns, unless all
    of its cells are numbers; then they are named by their places.

    Raises a ValueError that begins with `what` for a text without rows, and for a row of another length, with its line.

    Examples
    --------
    >>> parse("height;eyes\\n1.7;blue\\n;brown\\n", "people.csv")["height"].values
    array([1.7, nan])
    """
    first = text.partition("\n")[0]
    separator = max("\t;,", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if row:
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num + 1} of {what} cannot be read: {error} (is a quotation mark never closed?)") from error
    if rows and not all(is_number(cell) or cell in blank for cell in rows[0]):
        names, rows, lines = [name or f"column {place}" for place, name in enumerate(rows[0], 1)], rows[1:], lines[1:]
    else:
        names = [f"column {place}" for place in range(1, len(rows[0]) + 1)] if rows else []
    if not rows:
        raise ValueError(f"{what} holds no rows")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} has several columns named {min(twice)!r}: give each a name of its own")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(names):
            raise ValueError(f"line {line} of {what} has {len(row)} cells, and {len(names)} are expected, separated by {separator!r}")
    return Sheet(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), blank)


def written(sheet: Sheet, separator: str = ",") -> str:
    """A sheet as a text of separated values, with the names of the columns in the first line."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows(zip(*sheet.texts.values(), strict=True))
    return out.getvalue()


def is_number(cell: str) -> bool:
    """Whether a cell is one, written as Python writes it."""
    try:
        float(cell)
    except ValueError:
        return False
    return True

"""Labelled cases as text, one a line: the format `.amat` of Larochelle et al. (2007)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

ROWS = 1000  # lines that are read together
LONGEST = 64  # characters of a number at most, the space beside it included
ROUNDING = 1e-6  # by which a grey level may leave 0 to 1
Numbers = np.ndarray[Any, np.dtype[np.float32]]


def read_amat(path: Path, cases: int, width: int, classes: int, member: str | None = None) -> tuple[Tensor, Tensor]:
    """The cases of a file, and their labels.

    Each line is one case: `width` numbers from 0 to 1 and the label, with white space between. Memory is bounded by what is expected,
    whatever the file holds.

    Parameters
    ----------
    path : pathlib.Path
        The file, or the zip archive that has it.
    cases, width, classes : int
        What is expected of it.
    member : str, optional
        The name of the file in the archive.

    Returns
    -------
    values : torch.Tensor
        (cases, width) float32.
    labels : torch.Tensor
        (cases,) int64.

    Raises
    ------
    ValueError
        For a file of another form or size, with the line where it is so.
    """
    called = str(path) if member is None else f"{member} in {path}"
    values, labels = np.empty((cases, width), np.float32), np.empty(cases, np.int64)
    done = 0
    with _opened(path, member, called) as file:
        for places, lines in _blocks(file, called, longest=(width + 1) * LONGEST):
            block = _numbers(lines, places, called, width)
            if done + len(block) > cases:
                raise ValueError(f"{called} has more than {cases} cases: it is another file than its name says")
            _check(block, places, called, classes)
            values[done : done + len(block)] = np.clip(block[:, :-1], 0, 1)
            labels[done : done + len(block)] = block[:, -1]
            done += len(block)
    if done < cases:
        raise ValueError(f"{called} has {done} cases, and {cases} were expected: it is truncated, or another file than its name says")
    return torch.from_numpy(values), torch.from_numpy(labels)


def member_of(path: Path, file: str) -> str:
    """The full name of a file in a zip archive, in whatever folder it lies there. Raises a ValueError if there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError) as fault:
        raise ValueError(f"{path} is not a readable zip archive: {fault}") from fault
    found = next((name for name in names if name.rsplit("/", 1)[-1] == file), None)
    if found is None:
        raise ValueError(f"{path} does not hold {file}: it is another archive than its name says")
    return found


@contextmanager
def _opened(path: Path, member: str | None, called: str) -> Iterator[IO[bytes]]:
    if member is None:
        with path.open("rb") as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield file
    # A RuntimeError is zipfile's for an archive with a password, or packed by an unknown method.
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError) as fault:
        raise ValueError(f"{called} cannot be read: {fault}") from fault


def _blocks(file: IO[bytes], called: str, longest: int) -> Iterator[tuple[list[int], list[str]]]:
    """Lines that are not blank, some at a time, and their numbers from 1."""
    places: list[int] = []
    lines: list[str] = []
    number = 0
    while line := file.readline(longest):
        number += 1
        if len(line) == longest and not line.endswith(b"\n"):
            raise ValueError(f"{called}, line {number}: it is longer than any line of such a file, which has one case a line")
        if line.strip():
            places.append(number)
            lines.append(line.decode("ascii", errors="replace"))
        if len(lines) == ROWS:
            yield places, lines
            places, lines = [], []
    if lines:
        yield places, lines


def _numbers(lines: list[str], places: list[int], called: str, width: int) -> Numbers:
    """(lines, width + 1). Raises a ValueError that names the line."""
    try:
        block = np.loadtxt(lines, dtype=np.float32, comments=None, ndmin=2)
        if block.shape[1] == width + 1:
            return np.asarray(block)
    except ValueError:
        pass  # the lines are looked through for the one that is wrong
    for number, line in zip(places, lines, strict=True):
        words = line.split()
        if len(words) != width + 1:
            raise ValueError(f"{called}, line {number}: expected {width} values and a label, found {len(words)} words")
        try:
            np.loadtxt([line], dtype=np.float32, comments=None)
        except ValueError as fault:
            wrong = next((word for word in words if not _is_number(word)), line)
            raise ValueError(f"{called}, line {number}: expected numbers with white space between, found {wrong[:40]!r}") from fault
    raise ValueError(f"{called}, from line {places[0]} on: expected {width} values and a label on each line")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _check(block: Numbers, places: list[int], called: str, classes: int) -> None:
    """Raises a ValueError for values that are not from 0 to 1, NaN among them, and for labels that are no classes."""
    values, labels = block[:, :-1], block[:, -1]
    bad = ~((values >= -ROUNDING) & (values <= 1 + ROUNDING))
    if bad.any():
        row = int(bad.any(1).argmax())
        raise ValueError(f"{called}, line {places[row]}: expected grey levels from 0 to 1, found {values[row][bad[row]][0]:g}")
    bad = ~((labels >= 0) & (labels < classes) & (labels == np.rint(labels)))
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{called}, line {places[row]}: expected a label from 0 to {classes - 1}, found {labels[row]:g}")

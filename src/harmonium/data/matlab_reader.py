"""A reader of MATLAB's level 5 files that no bytes can crash: what is declared is compared with what is there before it is used.

The format: "MAT-File Format", The MathWorks. After a header of 128 bytes there are elements, each with its type and its length; one that is
compressed holds another. Values keep the type that they are stored in.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_BYTES = 1 << 27  # of one variable, once it is no longer compressed
DEEPEST = 16  # cells within cells
MATRIX, COMPRESSED, UTF8, UTF16, UTF32 = 14, 15, 16, 17, 18
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # element types
CELL, STRUCT, CHAR, SPARSE = 1, 2, 4, 5  # array classes; those of numbers follow
NUMERIC = range(6, 16)
COMPLEX = 0x800  # in an array's flags
Array = np.ndarray[Any, Any]


@dataclass
class Element:
    """An element of a file: its type, and its bytes."""

    kind: int
    content: memoryview


class Elements:
    """Reads the elements of some bytes one after the other. Raises a ValueError where they end too early."""

    def __init__(self, content: memoryview, order: str) -> None:
        self.content, self.order, self.at = content, order, 0

    def __bool__(self) -> bool:
        return len(self.content) - self.at >= 8

    def next(self) -> Element:
        """The next element."""
        word, size = np.frombuffer(self._take(8), f"{self.order}u4").tolist()
        if word >> 16:  # a small element, in the place of its own length
            if word >> 16 > 4:
                raise ValueError(f"a small element of {word >> 16} bytes")
            return Element(word & 0xFFFF, self.content[self.at - 4 : self.at - 4 + (word >> 16)])
        found = Element(word, self._take(size))
        if word != COMPRESSED:
            self.at = min(len(self.content), -(-self.at // 8) * 8)
        return found

    def numbers(self) -> Array:
        """The next element, as numbers of the type that it is stored in."""
        found = self.next()
        if found.kind not in NUMBERS:
            raise ValueError(f"numbers are expected, found an element of type {found.kind}")
        kind = np.dtype(self.order + NUMBERS[found.kind])
        if len(found.content) % kind.itemsize:
            raise ValueError(f"{len(found.content)} bytes are no whole number of {kind}")
        return np.frombuffer(found.content, kind)

    def _take(self, size: int) -> memoryview:
        if size > len(self.content) - self.at:
            raise ValueError(f"{size} bytes are expected at byte {self.at}, and the file ends {size - len(self.content) + self.at} earlier")
        self.at += size
        return self.content[self.at - size : self.at]


def read(content: bytes, names: Collection[str]) -> dict[str, Any]:
    """Those of the named variables that a file of these bytes has: arrays, and sparse matrices of SciPy.

    A cell array is an array of objects, a structure an array with fields of objects, and text an array of its lines, as SciPy's reader has
    them.

    Raises
    ------
    ValueError
        For a file of another format, one that is damaged, and a variable that takes more than 128 MiB.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or len(content) < 136 or content[124:126] != (b"\x00\x01" if order == "<" else b"\x01\x00"):
        raise ValueError("it has no header of MATLAB's level 5 format, which `save -v7` writes")
    found: dict[str, Any] = {}
    file = Elements(memoryview(content)[128:], order)
    while file:
        element = file.next()
        if element.kind == COMPRESSED:
            name = _name(_matrix(_decompressed(element.content, 1 << 12), order, cut=True), order)
            if name not in names:
                continue
            element = _matrix(_decompressed(element.content, MOST_BYTES), order)
        if element.kind == MATRIX and (name := _name(element, order)) in names:
            found[name] = _array(Elements(element.content, order), DEEPEST)
    return found


def _decompressed(content: memoryview, most: int) -> memoryview:
    """The beginning of what is compressed, at most so many bytes."""
    try:
        return memoryview(zlib.decompressobj().decompress(content, most))
    except zlib.error as error:
        raise ValueError(f"a compressed element is damaged: {error}") from error


def _matrix(content: memoryview, order: str, *, cut: bool = False) -> Element:
    """The array that a compressed element holds, or its beginning."""
    if len(content) < 8:
        raise ValueError("a compressed element is empty")
    kind, size = np.frombuffer(content[:8], f"{order}u4").tolist()
    if size > len(content) - 8 and not cut:
        raise ValueError(f"a variable has {len(content) - 8:,} bytes of {size:,}, or takes more than {MOST_BYTES:,}")
    return Element(kind, content[8 : 8 + size])


def _name(element: Element, order: str) -> str:
    """The name of an array, of which the beginning is enough."""
    if element.kind != MATRIX or not len(element.content):
        return ""
    parts = Elements(element.content, order)
    parts.next(), parts.next()
    return bytes(parts.next().content).decode("latin-1")


def _array(parts: Elements, deeper: int) -> Any:
    """An array, from its flags on."""
    if not parts:
        return np.zeros((0, 0))
    if deeper == 0:
        raise ValueError(f"cells lie more than {DEEPEST} deep")
    flags = int(_at_least(parts.numbers(), 1, "flags")[0])
    dims = [int(size) for size in _at_least(parts.numbers(), 2, "sizes")]
    parts.next()  # the name
    if min(dims) < 0 or len(dims) > 8:
        raise ValueError(f"an array of {dims} is not read")
    if flags & COMPLEX:
        raise ValueError("complex numbers are not read")
    kind, count = flags & 0xFF, math.prod(dims)
    if kind in NUMERIC:
        return _shaped(parts.numbers(), dims)
    if kind == CELL:
        return _shaped(_objects(parts, count, deeper), dims)
    if kind == SPARSE:
        return _sparse(parts, dims)
    if kind == CHAR:
        return _texts(parts.next(), dims, parts.order)
    if kind == STRUCT:
        return _structure(parts, dims, deeper)
    raise ValueError(f"an array of class {kind} is not read")


def _shaped(values: Array, dims: list[int]) -> Array:
    if values.size != math.prod(dims):
        raise ValueError(f"an array of {dims} has {values.size} values")
    return values.reshape(dims, order="F")


def _objects(parts: Elements, count: int, deeper: int) -> Array:
    """So many arrays, each an element of its own."""
    if count > (len(parts.content) - parts.at) // 8:
        raise ValueError(f"{count} cells are declared, and there is no room for them")
    found = np.empty(count, object)
    for place in range(count):
        element = parts.next()
        if element.kind != MATRIX:
            raise ValueError(f"a cell holds an element of type {element.kind}")
        found[place] = _array(Elements(element.content, parts.order), deeper - 1)
    return found


def _structure(parts: Elements, dims: list[int], deeper: int) -> Array:
    width = int(_at_least(parts.numbers(), 1, "length of a field's name")[0])
    words = bytes(parts.next().content)
    if width < 1 or len(words) % width:
        raise ValueError(f"the names of the fields are {len(words)} bytes, and {width} are declared for each")
    names = [words[at : at + width].split(b"\x00")[0].decode("latin-1") for at in range(0, len(words), width)]
    if not names or len(set(names)) < len(names) or "" in names:
        raise ValueError(f"fields are named {', '.join(names)}")
    cells = _objects(parts, math.prod(dims) * len(names), deeper).reshape(-1, len(names))
    found = np.empty(len(cells), [(name, object) for name in names])
    for place, name in enumerate(names):
        found[name] = cells[:, place]
    return found.reshape(dims, order="F")


def _sparse(parts: Elements, dims: list[int]) -> Any:
    from scipy.sparse import csc_matrix  # here, so that importing the package does not wait for SciPy

    rows, starts, values = parts.numbers(), parts.numbers(), parts.numbers()
    if len(dims) != 2 or len(starts) != dims[1] + 1 or starts[0] != 0 or (starts[1:] < starts[:-1]).any():
        raise ValueError(f"a sparse matrix of {dims} has {len(starts)} starts of columns, or not in order")
    count = int(starts[-1])
    if count > min(len(rows), len(values)) or (count and not 0 <= int(rows[:count].min()) <= int(rows[:count].max()) < dims[0]):
        raise ValueError(f"a sparse matrix of {dims} has its {count} entries outside of it")
    return csc_matrix((values[:count], rows[:count], starts), shape=dims)


def _texts(element: Element, dims: list[int], order: str) -> Array:
    codings = {UTF8: "utf-8", UTF16: "utf-16-le" if order == "<" else "utf-16-be", UTF32: "utf-32-le" if order == "<" else "utf-32-be"}
    if element.kind in (1, 2):
        text = bytes(element.content).decode("latin-1")
    elif element.kind == 4:
        text = bytes(element.content).decode(codings[UTF16], errors="replace")
    elif element.kind in codings:
        text = bytes(element.content).decode(codings[element.kind], errors="replace")
    else:
        raise ValueError(f"a text is stored as type {element.kind}")
    if len(dims) != 2 or len(text) != math.prod(dims):
        raise ValueError(f"a text of {dims} has {len(text)} characters")
    if not text:
        return np.zeros(0, "U1")
    return np.array(["".join(text[row :: dims[0]]) for row in range(dims[0])])


def _at_least(values: Array, count: int, what: str) -> Array:
    if len(values) < count:
        raise ValueError(f"an array has no {what}")
    return values

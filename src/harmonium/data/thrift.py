"""A reader of Thrift's compact protocol, in which Parquet files describe themselves.

The protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from mmap import mmap
from typing import Any

DEEPEST = 16  # structures and lists within one another
YES, NO, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)


class Thrift:
    """Values in bytes, one after another.

    Parameters
    ----------
    content : bytes or mmap
        What holds them.
    place : int, default 0
        Where the first one begins; after reading, where the next one does.

    Examples
    --------
    >>> from harmonium.data.thrift import Thrift
    >>> Thrift(bytes([0x15, 0x06, 0x18, 0x02, 0x61, 0x62, 0x00])).structure()  # field 1: the number 3; field 2: the text ab
    {1: 3, 2: b'ab'}
    """

    def __init__(self, content: bytes | mmap, place: int = 0) -> None:
        self.content, self.place = content, place

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """A structure's values by the numbers of its fields. ValueError for bytes that are none, or that end within it."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._whole()
            kind = head & 15
            found[number] = kind == YES if kind in (YES, NO) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError(f"structures and lists more than {DEEPEST} deep")
        if kind in (YES, NO, BYTE):  # in a list, a truth value has a byte of its own
            return self._byte()
        if kind in (SHORT, INT, LONG):
            return self._whole()
        if kind == DOUBLE:
            return self._taken(8)
        if kind == BINARY:
            return self._taken(self._natural())
        if kind in (LIST, SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._natural()
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == STRUCT:
            return self.structure(depth + 1)
        if kind == MAP and (count := self._natural()) == 0:
            return []
        if kind == MAP:
            kinds = self._byte()
            return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(count)]
        raise ValueError(f"a value of the unknown kind {kind}")

    def _taken(self, count: int) -> bytes:
        found = self.content[self.place : self.place + count]
        if len(found) < count:
            raise ValueError("it ends within a value")
        self.place += count
        return found

    def _byte(self) -> int:
        return self._taken(1)[0]

    def _natural(self) -> int:
        """A number of seven bits a byte, the lowest first."""
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise ValueError("a number of more than ten bytes")

    def _whole(self) -> int:
        """A number with its sign in the lowest bit."""
        found = self._natural()
        return found >> 1 ^ -(found & 1)

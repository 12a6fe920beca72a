"""A disk that fails at its n-th operation, and forgets what was not flushed: below everything that the package writes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from harmonium import files

Fault = Literal["fail", "full", "short", "kill", "lost"]


class Killed(BaseException):
    """What a dead process does: nothing more."""


@dataclass
class Node:
    """The content of a file, by whatever names: what of it is on the disk for good."""

    safe: bytes = b""


@dataclass
class Disk:
    """A folder on which one operation goes wrong.

    Every opening for writing, write, flush, rename and second name counts as an operation. At the `at`-th one there is a `fault`: "fail",
    an error; "full", an error there and at every later opening for writing and write; "short", half of a write; "kill", the end of the
    process before it; "lost", the same with the machine: whatever was not flushed is gone, the names in folders that were not flushed too.
    A disk may also have `room` for so many bytes, all that is ever `written` together, and be full from then on.
    """

    root: Path
    at: int = 0
    fault: Fault = "fail"
    room: int | None = None
    count: int = 0
    written: int = 0
    struck: bool = False
    dead: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)  # by their names now
    safe: dict[str, Node] = field(default_factory=dict)  # by the names that are on the disk for good
    opened: dict[int, str] = field(default_factory=dict)
    real: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in self.root.rglob("*"):
            if path.is_file():
                self.nodes[str(path)] = Node(path.read_bytes())
        self.safe = dict(self.nodes)

    def strikes(self, *, longer: bool = False) -> bool:
        """Counts an operation, which may need more of the disk, and says whether it is to be cut short."""
        self.check_alive()
        self.count += 1
        if self.fault == "full" and self.struck and longer:
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.count != self.at:
            return False
        self.struck = True
        if self.fault == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.fault == "fail":
            raise OSError(errno.EIO, "Input/output error")
        if self.fault == "short":
            return True
        self.dead = True
        raise Killed

    def check_alive(self) -> None:
        if self.dead:
            raise Killed

    def open(self, path: Any, flags: int, *rest: Any) -> int:
        name = os.fspath(path)
        if flags & os.O_CREAT:
            self.strikes(longer=True)
        self.check_alive()
        descriptor: int = self.real["open"](name, flags, *rest)
        if flags & os.O_CREAT and name not in self.nodes:
            self.nodes[name] = Node()
        self.opened[descriptor] = name
        return descriptor

    def write(self, descriptor: int, content: Any) -> int:
        short = self.strikes(longer=True)
        most = max(1, len(content) // 2) if short else len(content)
        if self.room is not None and self.written + most > self.room:
            self.struck, most = True, self.room - self.written
            if not most:
                raise OSError(errno.ENOSPC, "No space left on device")
        written: int = self.real["write"](descriptor, content[:most])
        self.written += written
        return written

    def fsync(self, descriptor: int) -> None:
        self.strikes()
        name = self.opened[descriptor]  # the disk below is not waited for: what is safe is kept here, and no machine dies
        if os.path.isdir(name):
            here = {each: node for each, node in self.nodes.items() if os.path.dirname(each) == name}
            self.safe = {each: node for each, node in self.safe.items() if os.path.dirname(each) != name} | here
        else:
            self.nodes[name].safe = Path(name).read_bytes()

    def close(self, descriptor: int) -> None:
        self.opened.pop(descriptor, None)
        self.real["close"](descriptor)

    def replace(self, source: Any, target: Any) -> None:
        self.strikes()
        self.real["replace"](source, target)
        self.nodes[os.fspath(target)] = self.nodes.pop(os.fspath(source), None) or Node()  # a copy is no operation

    def link(self, source: Any, target: Any) -> None:
        self.strikes()
        self.real["link"](source, target)
        self.nodes[os.fspath(target)] = self.nodes[os.fspath(source)]

    def unlink(self, path: Any, **rest: Any) -> None:
        self.check_alive()
        self.real["unlink"](path, **rest)
        self.nodes.pop(os.fspath(path), None)

    def forget(self) -> None:
        """What the machine finds when it starts again."""
        for path in list(self.root.rglob("*")):
            if path.is_file() and str(path) not in self.safe:
                path.unlink()
        for name, node in self.safe.items():
            Path(name).unlink(missing_ok=True)  # else a second name would change with it
            Path(name).write_bytes(node.safe)


@contextmanager
def faulty(root: Path, at: int = 0, fault: Fault = "fail", *, room: int | None = None) -> Iterator[Disk]:
    """A disk under the package, with a fault at its so manieth operation, from 1, none at 0; and room for so many bytes."""
    disk = Disk(root, at, fault, room)
    names = ("open", "write", "fsync", "close", "replace", "link", "unlink")
    disk.real = {name: getattr(os, name) for name in names}
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "os", _Shown(disk, names))
            patch.setattr(os, "unlink", disk.unlink)  # by pathlib
            yield disk
    finally:
        if disk.dead and fault == "lost":
            disk.forget()


class _Shown:
    """The module os, with some of its functions replaced."""

    def __init__(self, disk: Disk, names: tuple[str, ...]) -> None:
        self.disk, self.names = disk, names

    def __getattr__(self, name: str) -> Any:
        return getattr(self.disk if name in self.names else os, name)

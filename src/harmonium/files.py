"""Files in the safetensors format with a JSON header: written completely or not at all, and read only if every bit is as it was written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.processes import is_first

if TYPE_CHECKING:
    from torch import Tensor
if sys.platform != "win32":
    import fcntl

FORMAT = "harmonium 2"
WITHOUT_CHECKSUM = "harmonium 1"  # what earlier versions wrote: read as it is
DIGEST, BLANK = b'"sha256":"', "0" * 64  # in the file's JSON, where such quotation marks stand nowhere within a text
PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # no link to elsewhere, and no line ends of Windows
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN
LONGER = os.O_RDWR | os.O_CREAT | os.O_APPEND | PLAIN
TEMPORARY = ".{name}.{token}.tmp"


def write_atomically(path: Path, content: bytes, *, keep_previous: bool = False) -> None:
    """Writes a file so that no reader, and no crash, ever finds a part of it.

    The content goes to a temporary name in the same folder, is flushed to the disk and renamed, and the folder is flushed. Of several
    processes that learn together, only the first one writes.

    Parameters
    ----------
    path : pathlib.Path
        The file, in a folder that exists.
    content : bytes
        All of its content.
    keep_previous : bool, default False
        Keep what the file held as `previous(path)`, if it is undamaged.

    Raises
    ------
    OSError
        If the folder does not exist, or the disk is full. The file is then as it was.
    """
    if not is_first():
        return
    with _writing_in(path.parent), _temporary(path) as temporary:
        try:
            _write_new(temporary, content)
        except OSError as error:
            raise OSError(error.errno, _what_failed(error, path.parent), str(path)) from error
        if keep_previous and path.is_file() and is_whole(path.read_bytes()):
            _keep(path)
        os.replace(temporary, path)
    flush_folder(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Adds a line to a file, or begins one, and flushes it to the disk. After half a line, where a writer was killed, it begins anew.

    Parameters
    ----------
    path : pathlib.Path
        The file, in a folder that exists.
    line : bytes
        With its end.

    Raises
    ------
    OSError
        If the folder does not exist, or the disk is full.
    """
    began = not path.exists()
    try:
        descriptor = os.open(path, LONGER, 0o666)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if size and os.lseek(descriptor, -1, os.SEEK_END) == size - 1 and os.read(descriptor, 1) != b"\n":
                line = b"\n" + line
            _write_all(descriptor, line)
        finally:
            os.close(descriptor)
        if began:
            flush_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, _what_failed(error, path.parent), str(path)) from error


def _write_new(path: Path, content: bytes) -> None:
    """Writes a file that is not there yet. Neither another writer's file nor a link to elsewhere is written to."""
    descriptor = os.open(path, NEW, 0o666)
    try:
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    """Writes all of it, in as many calls as the system takes, and flushes it to the disk."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _what_failed(error: OSError, folder: Path) -> str:
    """The system's words for an error, with the free space where that is what lacks."""
    words = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            words += f" ({shutil.disk_usage(folder).free:,} bytes are free)"
    return words


def previous(path: Path) -> Path:
    """The file with what `path` held before it was last written, if that was kept."""
    return path.with_name(f"{path.name}.previous")


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name beside a file that nothing has; whatever has it in the end is deleted."""
    temporary = path.with_name(TEMPORARY.format(name=path.name[:200], token=secrets.token_hex(8)))
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _keep(path: Path) -> None:
    """Gives a file its second name. Where the disk knows no second names, a copy."""
    with _temporary(path) as temporary:
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)
        os.replace(temporary, previous(path))


def flush_folder(folder: Path) -> None:
    """Flushes a folder's names to the disk, on systems that can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Deletes what killed writers left in a folder, unless somebody is writing there now, such as a report while the run learns."""
    left = list(folder.glob(TEMPORARY.format(name="*", token="*")))  # first: whoever begins to write after this has another name
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        _lock(folder, stack, alone=True)
        for path in left:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing_in(folder: Path) -> Iterator[None]:
    """Keeps `sweep` from deleting anything in a folder. It ends with its process, however that ends."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # without a folder the writing fails, and says so
            _lock(folder, stack, alone=False)
        yield


def _lock(folder: Path, stack: contextlib.ExitStack, *, alone: bool) -> None:
    """Locks a folder until the stack ends, `alone` or with others. OSError where somebody else has it, or the disk knows no locks.

    Windows has no locks of folders, and deletes no file that is open.
    """
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, keep_previous: bool = False
) -> None:
    """Writes tensors and a header to one safetensors file, atomically and with a checksum of all of it.

    Parameters
    ----------
    path : str or path
        The file, in a folder that exists.
    tensors : mapping of str to torch.Tensor
        The tensors by name.
    header : mapping
        Stored as JSON in the file's metadata.
    keep_previous : bool, default False
        As for `write_atomically`.
    """
    import safetensors.torch  # here: a run's JSON is written without PyTorch

    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "harmonium": json.dumps(header), "sha256": BLANK}
    blank = safetensors.torch.save(content, metadata)
    at = blank.index(DIGEST) + len(DIGEST)
    whole = b"".join([blank[:at], hashlib.sha256(blank).hexdigest().encode(), blank[at + len(BLANK) :]])
    write_atomically(Path(path), whole, keep_previous=keep_previous)


def is_whole(content: bytes) -> bool:
    """Whether the bytes of a file are those that `write_tensors` wrote: its checksum is that of the rest."""
    at = content.find(DIGEST) + len(DIGEST)
    if at < len(DIGEST):
        return False
    digest = hashlib.sha256(content[:at])
    digest.update(BLANK.encode())
    digest.update(memoryview(content)[at + len(BLANK) :])
    return digest.hexdigest().encode() == content[at : at + len(BLANK)]


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a file that `write_tensors` wrote. If it is damaged and `previous(path)` is not, reads that, and warns.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    tensors : dict of str to torch.Tensor
        The tensors by name, on the CPU.
    header : dict
        The header.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or a folder has this name.
    ValueError
        For a file of another format or a damaged one; the message names the file and its fault.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        return _read(path)
    except ValueError as error:
        try:
            found = _read(previous(path))
        except (OSError, ValueError):
            raise error from None
        warnings.warn(f"{error}; going on from what it held before, {previous(path)}", stacklevel=2)
        return found


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    import safetensors.torch  # here: as above

    content = path.read_bytes()
    try:
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        form, header = metadata["format"], json.loads(metadata["harmonium"])
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a complete safetensors file of this package: its header cannot be read ({error!r})") from error
    if form not in (FORMAT, WITHOUT_CHECKSUM) or not isinstance(header, dict):
        raise ValueError(f"{path} is a safetensors file, but not one of this package's ({FORMAT!r} expected in its header)")
    if form == FORMAT and not is_whole(content):
        raise ValueError(f"{path} is damaged: its checksum is not that of its content")
    try:
        return safetensors.torch.load(content), header
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error

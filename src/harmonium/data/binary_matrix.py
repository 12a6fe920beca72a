"""The binary matrices in which NORB is published. Their names end in .mat, and they have nothing to do with MATLAB."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

_VALUES: dict[int, np.dtype[Any]] = {
    0x1E3D4C55: np.dtype("u1"),
    0x1E3D4C56: np.dtype("<i2"),
    0x1E3D4C54: np.dtype("<i4"),
    0x1E3D4C51: np.dtype("<f4"),
    0x1E3D4C53: np.dtype("<f8"),
}
_MAGIC = {values: magic for magic, values in _VALUES.items()}
_GZIP_MAGIC = b"\x1f\x8b"
_LEAST = 3  # sizes that a header holds, of a matrix of fewer dimensions too
_MOST = 32  # the limit of every NumPy version


def read_binary_matrix(path: str | Path) -> NDArray[Any]:
    """Read the array in a file of the binary-matrix format.

    The format is, all little-endian: a magic number for the type of the values, the number of dimensions, their sizes, at least three
    (those missing are 1), the values.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, plain or compressed by gzip; its first bytes tell which, not its name.

    Returns
    -------
    numpy.ndarray
        Of a plain file a read-only memory map, so that nothing but its header is read; of a compressed one an array in memory. The type is
        uint8, int16, int32, float32 or float64, and the shape that of the header.

    Raises
    ------
    ValueError
        For a file of another format, damaged, or of another size than its header says.
    OSError
        If the file cannot be opened.

    Notes
    -----
    LeCun, Huang & Bottou, "Learning methods for generic object recognition with invariance to pose and lighting", CVPR 2004, whose data set
    NORB has this format.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from harmonium.data.binary_matrix import read_binary_matrix, write_binary_matrix
    >>> path = Path("labels.mat")
    >>> write_binary_matrix(path, np.array([7, 2, 1], dtype=np.int32))
    >>> path.read_bytes()[:4].hex(" "), read_binary_matrix(path).tolist()
    ('54 4c 3d 1e', [7, 2, 1])
    """
    path = Path(path)
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not packed:
            values, shape, start = _header(file, path)
            _check_size(path, values, shape, path.stat().st_size - start)
            return np.memmap(path, values, "r", start, shape)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=file))
        try:
            values, shape, _ = _header(stream, path)
            promised = math.prod(shape) * values.itemsize
            # A deflate stream expands by 1,032 at most: checked before anything of the promised size is allocated.
            if promised > 1032 * path.stat().st_size:
                raise ValueError(f"{path} is truncated or corrupted: {_stated(values, shape)}, more than a file of its size can hold")
            content = stream.read(promised + 1)  # one byte more, so that gzip verifies its checksum
        except EOFError as fault:
            raise ValueError(f"{path} is truncated: its gzip stream stops before its end") from fault
        except (gzip.BadGzipFile, zlib.error) as fault:
            raise ValueError(f"{path} is corrupted: an intact gzip stream was expected, but {fault}") from fault
    _check_size(path, values, shape, len(content))
    return np.frombuffer(content, values).reshape(shape)


def write_binary_matrix(path: str | Path, array: NDArray[Any]) -> None:
    """Write an array as a file of the binary-matrix format, not compressed.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    array : numpy.ndarray
        Of type uint8, int16, int32, float32 or float64.

    Raises
    ------
    TypeError
        For an array of another type.
    """
    values = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
    header = _packed(values, array.shape)
    with Path(path).open("wb") as file:
        file.write(header)
        array.astype(values, copy=False).tofile(file)


def blank_binary_matrix(path: str | Path, values: np.dtype[Any], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Make a file of zeros of the binary-matrix format, to be filled piece by piece.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    values : numpy.dtype
        The type: uint8, int16, int32, float32 or float64.
    shape : tuple of int
        The sizes.

    Returns
    -------
    numpy.memmap
        The array, mapped: what is written to it is written to the file.

    Raises
    ------
    TypeError
        For another type, or no dimensions.
    """
    header = _packed(values, shape)
    Path(path).write_bytes(header)
    return np.memmap(path, values, "r+", len(header), shape)


def _packed(values: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The header."""
    if values not in _MAGIC or not shape:
        known = ", ".join(each.name for each in _MAGIC)
        raise TypeError(f"a binary matrix holds an array of type {known}, found {values} of {len(shape)} dimensions")
    sizes = (*shape, *[1] * (_LEAST - len(shape)))
    return struct.pack(f"<Ii{len(sizes)}i", _MAGIC[values], len(shape), *sizes)


def _header(stream: IO[bytes], path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """The type of the values, the shape, and where the values begin."""
    first = stream.read(8)
    magic, count = struct.unpack("<Ii", first) if len(first) == 8 else (0, 0)
    if magic not in _VALUES or not 1 <= count <= _MOST:
        raise ValueError(
            f"{path} is not a binary matrix as NORB's: the magic number of a type and a number of dimensions were expected first, but it "
            f"begins with {first.hex(' ') or 'nothing'}"
        )
    stored = max(count, _LEAST)
    sizes = stream.read(4 * stored)
    if len(sizes) < 4 * stored:
        raise ValueError(f"{path} is truncated: {stored} sizes were expected in its header, but it stops before the last")
    shape = struct.unpack(f"<{stored}i", sizes)
    if min(shape) < 1 or any(size != 1 for size in shape[count:]):
        raise ValueError(f"{path} is corrupted: its header states {count} dimensions of the sizes {shape}")
    return _VALUES[magic], shape[:count], 8 + 4 * stored


def _check_size(path: Path, values: np.dtype[Any], shape: tuple[int, ...], found: int) -> None:
    promised = math.prod(shape) * values.itemsize
    if found != promised:
        fault, follow = ("truncated", f"only {found} follow") if found < promised else ("over-long", "more follow")
        raise ValueError(f"{path} is {fault}: {_stated(values, shape)}, {promised} bytes, and {follow}")


def _stated(values: np.dtype[Any], shape: tuple[int, ...]) -> str:
    return f"its header states {' x '.join(map(str, shape))} {values.name} values"

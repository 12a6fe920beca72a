"""The IDX format, in which MNIST and related data sets are published."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

_VALUES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_LIMIT = 1032  # the largest factor by which a deflate stream can expand
_DIMENSIONS_LIMIT = 32  # the limit of every NumPy version


def read_idx(path: str | Path, *, dimensions: int | None = None) -> NDArray[Any]:
    """Reads the array in an IDX file.

    The format is: two zero bytes, a value type, the number of dimensions, their big-endian sizes, the values.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, plain or compressed by gzip; its first bytes tell which, not its name.
    dimensions : int, optional
        The number of dimensions that the array must have (3 for grey images, 1 for labels). By default any is accepted.

    Returns
    -------
    numpy.ndarray
        A new writable array in native byte order, with the shape that the header states. Its dtype is uint8, int8, int16, int32, float32
        or float64.

    Raises
    ------
    ValueError
        For a file of another format, with another number of dimensions, damaged, or of another size than its header states.
    OSError
        If the file cannot be opened.

    Notes
    -----
    LeCun, Cortes & Burges, "The MNIST database of handwritten digits", section on file formats.

    Examples
    --------
    >>> import harmonium as hm
    >>> from pathlib import Path
    >>> labels = Path("labels-idx1-ubyte")
    >>> labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    11
    >>> hm.data.read_idx(labels, dimensions=1)
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
        limit = path.stat().st_size * (_DEFLATE_LIMIT if packed else 1)
        try:
            return _read(stream, path, dimensions, limit)
        except EOFError as fault:
            raise ValueError(f"{path} is truncated: its gzip stream stops before its end") from fault
        except (gzip.BadGzipFile, zlib.error) as fault:
            raise ValueError(f"{path} is corrupted: an intact gzip stream was expected, but {fault}") from fault


def _read(stream: IO[bytes], path: Path, dimensions: int | None, limit: int) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _VALUES or not 1 <= magic[3] <= _DIMENSIONS_LIMIT:
        raise ValueError(
            f"{path} is not an IDX file: two zero bytes, a value type and a number of dimensions were expected first, "
            f"but it begins with {magic.hex(' ') or 'nothing'}"
        )
    values, found = _VALUES[magic[2]], magic[3]
    if dimensions not in (None, found):
        raise ValueError(f"{path} is mislabelled: an array of {_called(dimensions)} was expected, but it is one of {_called(found)}")
    sizes = stream.read(4 * found)
    if len(sizes) < 4 * found:
        raise ValueError(f"{path} is truncated: {found} sizes were expected in its header, but it stops before the last")
    shape = struct.unpack(f">{found}I", sizes)
    promised = math.prod(shape) * values.itemsize
    header = f"its header states {' x '.join(map(str, shape))} {values.newbyteorder('=')} values"
    if promised == 0:
        raise ValueError(f"{path} is empty: {header}, and at least one was expected")
    # Checked before anything of that size is allocated: a few damaged bytes can request any amount of memory.
    if promised > limit:
        raise ValueError(f"{path} is truncated or corrupted: {header}, more than a file of its size can hold")
    # Reads one byte more than expected: it reveals an excess, and makes gzip reach its end and verify its checksum.
    content = stream.read(promised + 1)
    if len(content) > promised:
        raise ValueError(f"{path} is over-long: {header}, {promised} bytes, but more follow")
    if len(content) < promised:
        raise ValueError(f"{path} is truncated: {header}, {promised} bytes, but only {len(content)} follow")
    return np.frombuffer(content, values).reshape(shape).astype(values.newbyteorder("="))


def _called(dimensions: int | None) -> str:
    kind = {1: "1 dimension (labels)", 3: "3 dimensions (images)"}
    return kind.get(dimensions or 0, f"{dimensions} dimensions")

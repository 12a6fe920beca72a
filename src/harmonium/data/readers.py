"""Files of data as people have them: arrays, sparse matrices, tables, and folders of images."""

from __future__ import annotations

import math
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.data.matrix_market import read_matrix
from harmonium.data.parquet import read_parquet
from harmonium.data.pictures import opened
from harmonium.data.sheets import BLANK, Sheet, parse
from harmonium.data.text_file import read_text

LARGEST = 2**32  # bytes that are read into memory
IMAGES = {".png", ".jpg", ".jpeg"}
TABLES = {".csv", ".tsv", ".parquet"}
ARRAYS = {".npy", ".npz", ".mtx"}


def read(path: Path, *, key: str | None = None, missing: str | None = None) -> Any:
    """Read a file of data, or a folder of images. Nothing in it is executed.

    Parameters
    ----------
    path : Path
        A .npy, .npz, .csv, .tsv, .parquet or .mtx (Matrix Market) file, or a folder of .png and .jpg images of one size.
    key : str, optional
        The array of an .npz file that holds several.
    missing : str, optional
        A further text that stands for a missing value in a .csv or .tsv file, beside nothing, NA, NaN and null.

    Returns
    -------
    numpy.ndarray, scipy.sparse matrix, Sheet or polars/pandas frame
        One case per row. Of images uint8, (cases, height, width) or (cases, height, width, 3).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a file that is too large, or not what its name says.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from harmonium.data.readers import read
    >>> np.save("four.npy", np.eye(4))
    >>> read(Path("four.npy")).shape
    (4, 4)
    """
    if path.is_dir():
        return _images(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix not in ARRAYS | TABLES:
        known = ", ".join(sorted(ARRAYS | TABLES))
        raise ValueError(f"{path} is of no kind that is read here: {known}, or a folder of images")
    if key is not None and suffix != ".npz":
        raise ValueError(f"--key names an array of an .npz file, and {path} is none")
    _check_size(path, path.stat().st_size)
    if suffix in ARRAYS:
        try:
            return read_matrix(path) if suffix == ".mtx" else _array(path, key)
        except (EOFError, zipfile.BadZipFile, RuntimeError, zlib.error, TypeError, IndexError, OverflowError) as error:
            raise ValueError(f"{path} is no complete {suffix} file: {error}") from error
    if suffix == ".parquet":
        return read_parquet(path)
    return parse(read_text(path), str(path), BLANK if missing is None else BLANK | {missing})


def _check_size(path: Path, size: int) -> None:
    if size > LARGEST:
        raise ValueError(f"{path} takes {size / 2**30:.1f} GiB, and at most {LARGEST / 2**30:.0f} are read here: hm.fit takes memory maps")


def _array(path: Path, key: str | None) -> np.ndarray[Any, Any]:
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return _numbers(path, _loaded(path, file, path.stat().st_size))
        with zipfile.ZipFile(path) as members:
            names = [name.removesuffix(".npy") for name in members.namelist()]
            if key is None and len(names) != 1:
                raise ValueError(f"{path} holds {len(names)} arrays: name one with --key, of {', '.join(names)}")
            name = names[0] if key is None else key
            if name not in names:
                raise ValueError(f"{path} holds no array {name!r}, only {', '.join(names)}")
            size = members.getinfo(f"{name}.npy").file_size
            _check_size(path, size)
            with members.open(f"{name}.npy") as file:
                return _numbers(path, _loaded(path, file, size))
    except KeyError as error:
        raise ValueError(f"{path} is no .npz file of arrays: {error}") from error
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} holds objects, or is no {path.suffix} file; only arrays of numbers are read") from None


def _loaded(path: Path, file: Any, size: int) -> np.ndarray[Any, Any]:
    """The array in a file of so many bytes, once what it says of itself fits: NumPy takes the memory first, and then reads."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, _, kind = header(file)
    except Exception as error:  # the reader of headers may raise any exception, depending on the bytes
        raise ValueError(f"{path} has no description of an array that can be read: {error}") from error
    if math.prod(shape) * kind.itemsize > size:
        raise ValueError(f"{path} describes an array of {kind} and shape {shape}, which takes more than its {size:,} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _numbers(path: Path, array: Any) -> np.ndarray[Any, Any]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf" or array.ndim < 1 or not array.size:
        raise ValueError(f"{path} must hold an array of numbers, one case per row, found {_shown(array)}")
    return array


def _shown(array: Any) -> str:
    return f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__


def _images(folder: Path) -> np.ndarray[Any, Any]:
    if find_spec("PIL") is None:
        raise ValueError(f"{folder} is a folder, and images are read by Pillow: `pip install pillow`")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES)
    if not paths:
        raise ValueError(f"{folder} holds no .png or .jpg images")
    found: list[np.ndarray[Any, Any]] = []
    colour = False
    for path in paths:
        try:
            with opened(path, ("PNG", "JPEG")) as image:
                colour = image.mode not in ("1", "L", "LA", "I;16") if not found else colour
                found.append(np.asarray(image.convert("RGB" if colour else "L")))
        except ValueError as error:
            raise ValueError(f"{path} is no image that can be read: {error}") from error
        if found[-1].shape != found[0].shape:
            height, width = found[0].shape[:2]
            raise ValueError(f"images of one size are expected: {paths[0].name} is {width} x {height}, {path.name} is not")
        _check_size(folder, len(paths) * found[0].size)
    return np.stack(found)


def is_table(data: Any) -> bool:
    """Whether data have named columns."""
    return isinstance(data, Sheet) or hasattr(data, "columns")

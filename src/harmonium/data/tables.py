"""Data as people have them: frames, lists and sparse matrices, made into what the library works on."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.sparse import SparseRows, is_sparse

NUMBERS = "biuf"  # kinds of NumPy types
WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64", "longdouble": "float64"}  # types that PyTorch lacks, or only stores


def as_data(data: Any) -> Any:
    """Data in a form with rows by number, where they have one.

    pandas and polars frames and series, and lists of rows of numbers, become arrays; sparse matrices become `SparseRows`. Tensors, arrays,
    memory maps, sources and iterables of batches are returned as they are.

    Raises
    ------
    ValueError
        For a frame with a column that holds no numbers, and for rows of different lengths.

    Examples
    --------
    >>> from harmonium.data.tables import as_data
    >>> as_data([[0, 1], [1, 1], [1, 0]]).shape
    (3, 2)
    """
    if is_sparse(data):
        return SparseRows(data)
    if hasattr(data, "to_numpy"):
        return of_frame(data) if hasattr(data, "columns") else numeric(data.to_numpy(), "the series")
    if isinstance(data, list | tuple) and data and _is_row(data[0]):
        return of_list(data)
    return data


def as_tensor(data: Any) -> Tensor:
    """Data in memory of any of these forms as one tensor. Sparse matrices become dense. Tensors are returned as they are.

    Raises
    ------
    TypeError
        For what holds no numbers, None included.
    ValueError
        As `as_data`.

    Examples
    --------
    >>> import numpy as np
    >>> from harmonium.data.tables import as_tensor
    >>> as_tensor(np.array([[0, 1], [2, 65535]], dtype=np.uint16))
    tensor([[    0,     1],
            [    2, 65535]], dtype=torch.int32)
    """
    if isinstance(data, Tensor) and data.layout == torch.strided:
        return data
    found = as_data(data)
    if isinstance(found, SparseRows):
        return found.rows(torch.arange(len(found)), torch.Generator())
    if isinstance(found, list | tuple) and found and all(isinstance(each, Tensor) for each in found):
        if len({each.shape for each in found}) > 1:
            raise ValueError(
                f"tensors of one shape are expected in a list, found {', '.join(str(tuple(each.shape)) for each in found[:5])}"
            )
        return torch.stack(list(found))
    if isinstance(found, Tensor):
        return found
    try:
        array = np.asarray(found)
    except (TypeError, ValueError):
        raise no_numbers(data) from None
    if array.dtype == object and array.ndim and array.size:
        array = numeric(array.ravel(), "the array").reshape(array.shape)
    if array.dtype.kind not in NUMBERS:
        raise no_numbers(data)
    return torch.from_numpy(native(array))


def no_numbers(data: Any) -> TypeError:
    """The error for what is no data in memory."""
    found = repr(data) if data is None or isinstance(data, str | bytes) else type(data).__name__
    if isinstance(data, np.ndarray):
        found = f"an array of {data.dtype}"
    return TypeError(f"expected numbers, in a tensor, a NumPy array, a list of rows, a SciPy sparse matrix or a frame, found {found}")


def native(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers in a type, byte order and layout that PyTorch computes with; the array itself where it is so already."""
    wide = WIDER.get("longdouble" if array.dtype == np.longdouble and array.dtype.itemsize > 8 else array.dtype.name)
    if wide is not None or not array.dtype.isnative:
        array = array.astype(wide or array.dtype.newbyteorder("="))
    if array.flags.writeable and all(stride >= 0 for stride in array.strides):
        return array
    return array.copy()  # PyTorch takes no negative strides, and warns of memory that it must not write to


def of_frame(frame: Any) -> np.ndarray[Any, Any]:
    """The columns of a frame side by side, (rows, columns)."""
    columns = [numeric(frame[name].to_numpy(), f"column {name!r}") for name in frame.columns]
    if not columns:
        raise ValueError("the frame has no columns")
    return np.column_stack(columns)


def numeric(values: np.ndarray[Any, Any], what: str) -> np.ndarray[Any, Any]:
    """Values of a type of numbers; objects that are numbers, or None or NA for a missing one, as float64."""
    if values.dtype.kind in NUMBERS:
        return native(values)
    try:
        return np.array([np.nan if _is_blank(value) else float(value) for value in values])
    except (TypeError, ValueError):
        row, value = next((row, value) for row, value in enumerate(values) if not _is_number(value))
        raise ValueError(
            f"{what} holds what are no numbers, such as {value!r} in row {row}: leave it out, or give numbers for its values"
        ) from None


def of_list(rows: list[Any] | tuple[Any, ...]) -> Tensor | np.ndarray[Any, Any]:
    """Rows of equal length as one array, or tensor if they are tensors."""
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ValueError(f"rows of one length are expected, found lengths from {min(lengths)} to {max(lengths)}")
    return torch.stack(list(rows)) if isinstance(rows[0], Tensor) else np.asarray(rows)


def _is_row(value: Any) -> bool:
    """Whether a value is one case, not a batch of cases: a vector, or a list of numbers or of lists of them."""
    if isinstance(value, Tensor | np.ndarray):
        return value.ndim == 1
    return isinstance(value, list | tuple) and bool(value) and (isinstance(value[0], Real) or _is_row_of_rows(value[0]))


def _is_row_of_rows(value: Any) -> bool:
    return isinstance(value, list | tuple) and _is_row(value)


def _is_blank(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return _is_blank(value)
    return True

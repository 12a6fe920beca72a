"""Files of word counts: a matrix of compressed rows for each part of a collection, in one .npz file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse

Arrays = dict[str, "np.ndarray[Any, Any]"]
MATRIX = ("indptr", "indices", "counts")


def read(path: Path, names: Sequence[str]) -> Arrays:
    """The arrays of these names. Raises ValueError if the file is not readable, or has other arrays."""
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in names if name in file.files}
    except Exception as fault:  # NumPy may raise any exception, depending on the bytes
        raise ValueError(f"{path} is not a readable .npz file of numbers and names") from fault
    if missing := [name for name in names if name not in held]:
        raise ValueError(f"{path} is another file: expected arrays called {', '.join(names)}, and {', '.join(missing)} are not there")
    return held


def matrix(path: Path, held: Arrays, part: str, documents: int, words: int) -> sparse.csr_array:
    """The counts of one part, (documents, words) int32.

    Parameters
    ----------
    path, held
        The file, which errors name, and its arrays.
    part
        The arrays' names begin with it: `<part>_indptr`, `_indices`, `_counts`.
    documents, words
        The shape that is expected.

    Raises
    ------
    ValueError
        For another shape, and for arrays that are no matrix of counts.
    """
    from scipy import sparse  # here, so that importing the package does not wait for SciPy

    ends, columns, counts = (held[f"{part}_{name}"] for name in MATRIX)
    if any(each.dtype.kind not in "iu" or each.ndim != 1 for each in (ends, columns, counts)):
        raise ValueError(f"{path} is damaged: expected whole numbers in {', '.join(f'{part}_{name}' for name in MATRIX)}")
    ends = ends.astype(np.int64)
    if len(ends) != documents + 1:
        raise ValueError(f"{path} is another file: expected {documents} documents in its {part} part, found {len(ends) - 1}")
    if ends[0] != 0 or (np.diff(ends) < 0).any() or not ends[-1] == len(columns) == len(counts):
        raise ValueError(f"{path} is damaged: {part}_indptr does not divide its {len(columns)} indices and {len(counts)} counts into rows")
    if (columns < 0).any() or (columns >= words).any() or (counts < 1).any():
        raise ValueError(f"{path} is damaged: expected words from 0 to {words - 1} and counts above 0 in its {part} part")
    return sparse.csr_array((counts.astype(np.int32), columns.astype(np.int32), ends), shape=(documents, words))

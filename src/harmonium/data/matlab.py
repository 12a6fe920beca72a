"""MATLAB files, and sequences in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.matlab_reader import MOST_BYTES, read
from harmonium.data.tables import NUMBERS, native


def arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Those of the named arrays that a file has. Raises a ValueError for a file that is no MATLAB file, or is damaged."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, and a MATLAB file of at most {MOST_BYTES:,} is expected")
    try:
        return read(path.read_bytes(), names)
    except ValueError as fault:
        raise ValueError(f"{path} is not a readable MATLAB file: {fault}") from fault


def cells(path: Path, expected: Mapping[str, int], width: int, dtype: torch.dtype) -> dict[str, list[Tensor]]:
    """The cell arrays of a file, by name: as many matrices of (time, width) as expected, of the given type.

    Raises
    ------
    ValueError
        For a file that is no MATLAB file, or that holds other arrays, or values that are not finite, or for bool not 0 or 1.
    """
    held = arrays(path, list(expected))
    found: dict[str, list[Tensor]] = {}
    for name, count in expected.items():
        matrices = [np.asarray(each) for each in held[name].ravel()] if name in held else []
        shapes = {each.shape[1:] for each in matrices}
        if len(matrices) != count or shapes != {(width,)}:
            raise ValueError(
                f"{path} is another file: expected {name} as {count} matrices of {width} columns, found {len(matrices)} with "
                f"{', '.join(map(str, sorted(shapes)))}"
            )
        if not all(_fits(each, dtype) for each in matrices):
            raise ValueError(f"{path} is damaged: expected {'zeros and ones' if dtype == torch.bool else 'finite numbers'} in {name}")
        found[name] = [torch.from_numpy(native(each.copy())).to(dtype) for each in matrices]
    return found


def _fits(values: np.ndarray[Any, Any], dtype: torch.dtype) -> bool:
    """Whether values can be held by the type without a change of meaning."""
    if values.dtype.kind not in NUMBERS:
        return False
    return bool(((values == 0) | (values == 1)).all() if dtype == torch.bool else np.isfinite(values).all())

"""The kind of a column: guessed from its type and its values, or named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from harmonium.data.columns import DATES, Floats, Kind, Labels, Numbers, date_step, numbers_of, plain
from harmonium.data.frame_libraries import Cells

KINDS: tuple[str, ...] = get_args(Kind)
FEW = 20  # the highest mean of whole numbers that are taken for counts
MOST_LABELS = 100  # different values of a column of labels that needs no declaration

Named = str | Sequence[Any]


def code_of(cells: Cells, named: Named | None) -> Labels | Numbers:
    """How a column's values become states: by the kind that is named, or by the one that is guessed.

    Raises a ValueError that names the column, if the kind does not fit it.
    """
    if cells.missing.all():
        raise ValueError(f"column {cells.name!r} has no values, only missing ones: leave it out")
    if named is not None and not isinstance(named, str):
        values = tuple(plain(value) for value in named)
        if len(values) < 2 or len(set(values)) < len(values):
            raise ValueError(f"the order of column {cells.name!r} is a list of two or more different values, found {list(named)!r}")
        return Labels("ordered" if len(values) > 2 else "binary", values)
    kind = guess(cells) if named is None else named
    if kind not in KINDS:
        raise ValueError(f"column {cells.name!r} can be of the kinds {', '.join(KINDS)}, or a list of its values in order, found {kind!r}")
    if kind in ("binary", "categorical", "ordered"):
        return _labels(cells, kind)
    return _numbers(cells, kind)


def guess(cells: Cells) -> Kind:
    """The kind of a column that has values, by its type and its values. See `from_frame` for the rules."""
    if cells.categories is not None:
        return "binary" if len(cells.categories) == 2 else "ordered" if cells.ordered else "categorical"
    if cells.values.dtype.kind in DATES:
        return "real"
    known = _known(cells)
    if all(isinstance(value, bool) for value in known):
        return "binary"
    if not all(isinstance(value, int | float) for value in known):
        if len(known) > MOST_LABELS or (len(known) > 20 and 2 * len(known) > (~cells.missing).sum()):
            raise ValueError(
                f"column {cells.name!r} holds {len(known)} different values in {int((~cells.missing).sum())} cells, as names or texts do: "
                f"leave it out, or declare kinds={{{cells.name!r}: 'categorical'}}"
            )
        return "binary" if len(known) == 2 else "categorical"
    return _guess_numbers(numbers_of(cells)[~cells.missing])


def _guess_numbers(values: Floats) -> Kind:
    if np.isinf(values).any():
        return "real"  # whose code says which row
    whole, different = bool((values == values.round()).all()), len(np.unique(values))
    if whole and different == 2:
        return "binary"
    if different == 1 or values.min() < 0:
        return "real"
    if whole and values.mean() <= FEW:
        return "count"
    return "non-negative" if values.mean() < 1.5 * values.std() else "real"


def _labels(cells: Cells, kind: Any) -> Labels:
    values = cells.categories
    if values is None:
        known = _known(cells)
        if kind == "ordered" and not all(isinstance(value, int | float) for value in known):
            raise ValueError(
                f"the order of the values of column {cells.name!r} is not known: list them, kinds={{{cells.name!r}: [{known[0]!r}, ...]}}, "
                "or make it an ordered categorical column"
            )
        values = tuple(sorted(known, key=lambda value: (isinstance(value, str), value)))
    if len(values) < 2 or (kind == "binary" and len(values) > 2):
        raise ValueError(
            f"column {cells.name!r}, of kind {kind!r}, must have {'two' if kind == 'binary' else 'two or more'} different values, found "
            f"{len(values)}: {', '.join(map(repr, values[:5]))}; " + ("leave it out" if len(values) < 2 else "name another kind")
        )
    return Labels(kind, values)


def _numbers(cells: Cells, kind: Any) -> Numbers:
    dates = DATES.get(cells.values.dtype.kind, "")
    values = numbers_of(cells)[~cells.missing]
    Numbers(kind).encode(cells)  # what the kind does not allow is refused before it is measured
    step = date_step(values) if dates else 1.0 if kind == "count" or _is_integer(cells) else 0.0
    if kind == "count":
        return Numbers(kind, step=1.0)
    if kind == "non-negative":
        return Numbers(kind, 0.0, float(np.sqrt(np.square(values).mean())) or 1.0, step, dates)
    return Numbers(kind, float(values.mean()), float(values.std()) or 1.0, step, dates)


def _is_integer(cells: Cells) -> bool:
    """Whether the column's own type is one of whole numbers."""
    test = getattr(cells.dtype, "is_integer", None)  # of polars
    return bool(test()) if callable(test) else getattr(cells.dtype, "kind", "O") in "iu"


def _known(cells: Cells) -> list[Any]:
    """The different values that are not missing, in the order in which they come."""
    try:
        return list(dict.fromkeys(plain(value) for value in cells.values[~cells.missing]))
    except TypeError:
        raise ValueError(f"column {cells.name!r} holds lists or other compound values: make a column of each part") from None

"""Visible states that a caller gives to an estimator."""

from __future__ import annotations

from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.sampling.gaps import fill
from harmonium.units import NOTHING, Given, Unit


def rows_of(visible: Unit, rows: Tensor) -> Tensor:
    """At least one case, (cases, *visible.shape). Raises ValueError for another shape."""
    rows = as_tensor(rows)
    if rows.shape[1:] != visible.shape or not len(rows):
        raise ValueError(f"expected states of shape (cases, {', '.join(map(str, visible.shape))}), found {tuple(rows.shape)}")
    return rows


def as_states(visible: Unit, rows: Tensor, given: Given = NOTHING) -> Tensor:
    """States of any type, converted to the layer's own type and device: (cases, *visible.shape), at least one case.

    `given` is one case, which applies to all states, or has one row per state. Values at absent units are not read. Raises ValueError for
    another shape, for states outside the support, and for documents whose length differs from the given one.
    """
    rows = rows_of(visible, rows)
    if given.present is not None:
        rows = fill(visible, rows, ~given.present.to(rows.device).bool().expand(rows.shape))
    visible.check_states(rows)
    found = rows.to(visible.zero_input())
    told = visible.given_by(found)
    if told.length is not None and given.length is not None:
        expected = given.length.to(told.length).expand(len(found))
        if not bool((told.length == expected).all()):
            wrong = told.length != expected
            low, high = told.length[wrong].min().item(), told.length[wrong].max().item()
            words = f"{expected[0]:g} words" if bool((expected == expected[0]).all()) else "the lengths given"
            raise ValueError(f"expected documents of {words}, found lengths from {low:g} to {high:g}")
    return found

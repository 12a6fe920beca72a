"""Visible states that estimators are handed."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.sampling.gaps import fill
from harmonium.units import Given, Unit


def as_states(visible: Unit, rows: Tensor, given: Given | None = None) -> Tensor:
    """At least one state, (cases, *visible.shape), of any type, as the layer's own type and on its device.

    `given`: one case, for all of them; what stands at its absent units is not read. ValueError for another shape, for states outside the
    support, and for documents of another length than the given one.
    """
    rows = torch.as_tensor(rows)
    if rows.shape[1:] != visible.shape or not len(rows):
        raise ValueError(f"expected states of shape (cases, {', '.join(map(str, visible.shape))}), found {tuple(rows.shape)}")
    if given is not None and given.present is not None:
        rows = fill(visible, rows, ~given.present.bool().expand(rows.shape))
    visible.check_states(rows)
    found = rows.to(visible.blank())
    told = visible.given_by(found, None)
    if told is not None and told.length is not None and given is not None and given.length is not None:
        low, high, expected = told.length.min().item(), told.length.max().item(), given.length.item()
        if not low == high == expected:
            raise ValueError(f"expected documents of {expected:g} words, found lengths from {low:g} to {high:g}")
    return found

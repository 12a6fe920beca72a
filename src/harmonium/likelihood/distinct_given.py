"""The distinct conditions that log Z depends on: lengths, contexts and masks of the cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.units import Given, Unit

PLURALS = {"present": "masks", "length": "lengths", "context": "contexts"}


class Distinct(NamedTuple):
    """The distinct conditions given of some cases.

    `given`: each distinct condition, as that of one case (no leading axes). `cases`: how many cases share each. `place`: the index of each
    case's condition, (cases,). `what`: their name, such as "lengths".
    """

    given: Sequence[Given]
    cases: Sequence[int]
    place: Tensor
    what: str


def of_cases(visible: Unit, data: Tensor, given: Given) -> Given:
    """What is given of each case, with one row per case in every field. The length of a document is read from its counts.

    `data`: (cases, *visible.shape). `given`: each field is that of one case, shared by all, or has one row per case. Raises ValueError for
    other shapes and for missing values.
    """
    if given.missing is not None:
        raise ValueError(
            "evaluate takes whole cases: hm.likelihood.log_likelihood sums over missing values, with a log_z from exact_log_z or ais"
        )
    rows = {}
    for name, axes in (("present", len(visible.shape)), ("length", 0), ("context", 1)):
        value = getattr(given, name)
        if value is None:
            continue
        value = torch.as_tensor(value)
        if value.dim() != axes and not (value.dim() == axes + 1 and len(value) == len(data)):
            raise ValueError(
                f"given.{name} must be that of one case, shared by all, or have a row for each of {len(data)} cases, found shape "
                f"{tuple(value.shape)}"
            )
        rows[name] = value.expand(len(data), *value.shape[value.dim() - axes :]).to(data.device)
    if "length" not in rows:
        told = visible.given_by(data)
        if told.length is not None:
            rows["length"] = told.length
    return Given(**rows)


def distinct(given: Given, cases: int) -> Distinct:
    """What is given of each case, fields of (cases, ...), grouped into the distinct conditions."""
    fields = {name: value for name in PLURALS if (value := getattr(given, name)) is not None}
    differ = {name: value.reshape(cases, -1).double() for name, value in fields.items() if bool((value != value[:1]).any())}
    if not differ:
        return Distinct([given.rows(0)], [cases], torch.zeros(cases, dtype=torch.long), "cases")
    found, place, counts = torch.unique(torch.cat(list(differ.values()), dim=1), dim=0, return_inverse=True, return_counts=True)
    first = torch.full((len(found),), cases, device=place.device)
    first = first.scatter_reduce(0, place, torch.arange(cases, device=place.device), "amin")
    what = " and ".join(PLURALS[name] for name in differ)
    return Distinct([given.rows(row) for row in first.tolist()], counts.tolist(), place.cpu(), what)

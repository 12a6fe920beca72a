"""The user's rows with their classes, and those of them that are held out."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from harmonium.own_data import Encoding, Rows
from harmonium.seeds import derive

HELD_OUT, FEWEST, MOST = 0.1, 20, 10_000  # share of the rows; none of fewer rows than this; and no more than this


@dataclasses.dataclass(frozen=True)
class Own:
    """The user's data: the rules by which they became rows, the rows, the classes, and the number of each row's class.

    Raises ValueError for what no model can be learnt from.
    """

    rules: Encoding
    rows: Rows
    classes: list[Any]
    labels: Tensor | None

    def __post_init__(self) -> None:
        if len(self) < 2:
            raise ValueError(f"a model is learnt from two rows or more, found {len(self)}")
        if self.labels is None:
            return
        if len(self.labels) != len(self):
            raise ValueError(f"expected a label for each of {len(self)} rows, found {len(self.labels)}")
        if len(self.classes) < 2:
            raise ValueError(f"--labels must have at least two different values, found only {self.classes[0]!r}")
        if 2 * len(self.classes) > len(self):
            raise ValueError(
                f"--labels has {len(self.classes)} different values in {len(self)} rows, as measurements or names do: "
                "a classifier takes classes of two rows or more"
            )
        if self.rows.given:
            raise ValueError("a classifier takes rows without gaps: fill them by `harmonium impute` first")

    def __len__(self) -> int:
        return int(self.rows.states.shape[0])

    def __str__(self) -> str:
        return f"{len(self)} rows of {self.rules}" + (f"; {len(self.classes)} classes" if self.classes else "")


class Cases(NamedTuple):
    """Rows to learn from, and rows that are held out: one in ten, drawn by the seed. Labels are numbers of classes."""

    rows: Rows
    held_out: Rows | None
    labels: Tensor | None
    held_out_labels: Tensor | None

    @classmethod
    def of(cls, own: Own, seed: int) -> Self:
        """Hold out one row in ten."""
        count, rows, labels = len(own), own.rows, own.labels
        if count < FEWEST:
            return cls(rows, None, labels, None)
        held = min(MOST, max(1, round(HELD_OUT * count)))
        order = torch.randperm(count, generator=torch.Generator().manual_seed(derive(seed, 99)))
        out, kept = order[:held], order[held:].sort().values
        return cls(rows.pick(kept), rows.pick(out), *((None, None) if labels is None else (labels[kept], labels[out])))

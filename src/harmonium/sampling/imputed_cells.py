"""Imputed values as a frame of one row per cell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from harmonium.data import Table
from harmonium.data.columns import Numbers


def imputed_cells(table: Table, rows: Tensor, mean: Tensor, standard_deviation: Tensor, probability: Tensor) -> Any:
    """See `Imputation.cells`. Each tensor is (rows, units)."""
    states, means, spread, sure = (each.detach().cpu().double().numpy() for each in (rows, mean, standard_deviation, probability))
    found: dict[str, list[Any]] = {name: [] for name in ("row", "column", "value", "mean", "standard_deviation", "probability")}
    for column in table.columns:
        here = np.flatnonzero(table.rows[:, column.start].isnan().numpy())
        code, first, nothing = column.code, column.start, [math.nan] * len(here)
        found["row"] += here.tolist()
        found["column"] += [column.name] * len(here)
        found["value"] += [str(value) for value in code.decode(states[here][:, column.units])]
        if isinstance(code, Numbers):
            found["mean"] += code.numbers(means[here, first]).tolist()
            found["standard_deviation"] += (code.scale * spread[here, first]).tolist()
            found["probability"] += nothing
        else:
            found["mean"] += nothing
            found["standard_deviation"] += nothing
            found["probability"] += sure[here, first].tolist()
    return table.library.frame(found)

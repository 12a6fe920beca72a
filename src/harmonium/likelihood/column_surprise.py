"""How surprising each column of a row is, given all others."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.column_states import ColumnStates, columns_of, weights_of
from harmonium.models import RBM

NUMBERS = 2**22  # inputs to hidden units that are kept at once


class Surprise(NamedTuple):
    """`surprise`, `expected`: (cases, columns), nats, float64. `starts`: the first unit of each column."""

    surprise: Tensor
    expected: Tensor
    starts: list[int]


def column_surprise(model: RBM, v: Tensor) -> Surprise:
    """-log p(v_i | all other columns) of each column of complete states, (cases, *visible.shape), and its mean over that distribution.

    All other columns fixed, the free energy depends on a column by its own energy e and by the input that it sends to the hidden units:

        -log p(v_i | v_rest) = e(v_i) - A(x) + log Σ_u exp(-e(u) + A(x - s(v_i) W_i + s(u) W_i))

    with A the hidden log-partition and x the hidden input. For real-valued columns the sum is a quadrature, and p is a density.
    """
    wide = copy.deepcopy(model).double()
    v = v.double()
    sent = wide.visible.statistic(v)
    total = wide.coupling.to_hidden(sent)
    energies, statistics = wide.visible.energy_terms(v).flatten(1), sent.flatten(1)
    weight = weights_of(wide)
    found, starts = [], []
    for column in columns_of(wide):
        units = slice(column.start, column.stop)
        own = (energies[:, units].sum(1), statistics[:, units] @ weight[units])
        found.append(_of_column(wide, column, total, *own))
        starts.append(column.start)
    return Surprise(torch.stack([each for each, _ in found], 1), torch.stack([each for _, each in found], 1), starts)


def _of_column(model: RBM, column: ColumnStates, total: Tensor, energy: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """`total`: (cases, *hidden), the whole input. `energy`, `own`: the column's present energy, (cases), and its input, (cases, hidden)."""
    shape = model.hidden.statistic_shape
    nodes, hidden = column.input.shape
    surprises, entropies = [], []
    for rows in torch.split(torch.arange(len(total), device=total.device), max(1, NUMBERS // (nodes * hidden))):
        rest = total[rows].flatten(1) - own[rows]
        inside = model.hidden.log_partition((rest[:, None] + column.input).reshape(-1, nodes, *shape))
        log_density = inside - column.energy
        weighted = log_density + column.log_weight
        log_sum = weighted.logsumexp(1)
        present = model.hidden.log_partition(total[rows]) - energy[rows]
        surprises.append(log_sum - present)
        entropies.append(log_sum - (torch.exp(weighted - log_sum[:, None]) * log_density).sum(1))
    return torch.cat(surprises), torch.cat(entropies)

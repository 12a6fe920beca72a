"""The states that one column of a visible layer can take: all of them, or the nodes of a quadrature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import singledispatch
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.units import Bernoulli, Binomial, Gaussian, Poisson, Softmax, Spin, SteppedSigmoid, TruncatedGaussian, Unit
from harmonium.units.groups import leaves

REACH = 9.0  # standard deviations beyond the outermost conditional mean
NODES, PANEL = 8, 1.5  # Gauss-Legendre nodes of a panel, and its length in standard deviations
TAIL = 12.0  # how many standard deviations beyond the highest rate counts are listed
MOST = 2**16


class States(NamedTuple):
    """What a layer's columns can be.

    `values`: (nodes, units), states of all columns at once. `log_weight`: (nodes, columns), 0 for sums and log dv for integrals. `width`:
    units of a column.
    """

    values: Tensor
    log_weight: Tensor
    width: int


class ColumnStates(NamedTuple):
    """One column's states. `start`, `stop`: its units. `energy`, `log_weight`: (nodes). `input`: (nodes, hidden), what each sends."""

    start: int
    stop: int
    energy: Tensor
    log_weight: Tensor
    input: Tensor


@singledispatch
def states_of(unit: Unit, low: Tensor, high: Tensor) -> States:
    """The states of each column of a layer whose inputs lie from `low` to `high`, (units). Raises a TypeError for kinds without a rule."""
    raise TypeError(f"no rule lists or integrates over the states of one {type(unit).__name__} unit given the others")


def _listed(values: Tensor, units: int) -> States:
    return States(values[:, None].expand(-1, units), values.new_zeros(len(values), units), 1)


@states_of.register
def _of_bernoulli(unit: Bernoulli, low: Tensor, high: Tensor) -> States:
    return _listed(low.new_tensor([0.0, 1.0]), len(low))


@states_of.register
def _of_spin(unit: Spin, low: Tensor, high: Tensor) -> States:
    return _listed(low.new_tensor([-1.0, 1.0]), len(low))


@states_of.register
def _of_softmax(unit: Softmax, low: Tensor, high: Tensor) -> States:
    one_hot = torch.eye(unit.categories).to(low).repeat(1, unit.groups)
    return States(one_hot, low.new_zeros(unit.categories, unit.groups), unit.categories)


@states_of.register(Binomial)
@states_of.register(SteppedSigmoid)
def _of_counts(unit: Binomial | SteppedSigmoid, low: Tensor, high: Tensor) -> States:
    if unit.copies is not None:
        return _listed(torch.arange(unit.copies + 1).to(low), len(low))
    return _counts(unit, (high + unit.bias).clamp_min(0), high)  # its variance is below one


@states_of.register
def _of_poisson(unit: Poisson, low: Tensor, high: Tensor) -> States:
    return _counts(unit, torch.exp(high + unit.bias), high)


def _counts(unit: Unit, rate: Tensor, like: Tensor) -> States:
    last = (rate + TAIL * rate.sqrt() + 30).max().item()
    if not last <= MOST:
        raise ValueError(f"the counts of these {type(unit).__name__} units would have to be listed up to {last:.3g}; use smaller weights")
    return _listed(torch.arange(math.ceil(last) + 1).to(like), len(like))


@states_of.register
def _of_gaussian(unit: Gaussian, low: Tensor, high: Tensor) -> States:
    scale = torch.exp(0.5 * unit.log_variance).expand(unit.shape)
    return _panels(unit, unit.bias + low - REACH * scale, unit.bias + high + REACH * scale, scale)


@states_of.register
def _of_truncated(unit: TruncatedGaussian, low: Tensor, high: Tensor) -> States:
    """Panels that grow from zero on, where a density with a mean far below zero falls fast."""
    scale = torch.exp(0.5 * unit.log_variance).expand(unit.shape)
    steep = ((unit.bias + low) / scale).clamp_max(-1.0).abs().max().item()  # the density falls like exp(-steep x / scale)
    fine = [2.0**-k for k in range(math.ceil(math.log2(4 * steep)), 0, -1)]
    return _panels(unit, torch.zeros_like(low), (unit.bias + high).clamp_min(0) + REACH * scale, scale, [0.0, *fine])


def _panels(unit: Unit, start: Tensor, stop: Tensor, scale: Tensor, edges: list[float] | None = None) -> States:
    """Gauss-Legendre nodes on panels from `start` to `stop`, of equal length behind the first `edges`, in scales from the start."""
    first = torch.tensor(edges or [0.0]).to(start)
    length = ((stop - start) / scale).max().item()
    if not length < MOST / NODES * PANEL:
        raise ValueError(
            f"the density of one of these {type(unit).__name__} units cannot be integrated: their input has no bound, or weights are too "
            "large"
        )
    equal = torch.linspace(0, 1, max(2, math.ceil(length / PANEL) + 1), dtype=start.dtype, device=start.device)[1:]
    begin = start + first[-1] * scale
    ends = torch.cat([start + first[:, None] * scale, begin + equal[:, None] * (torch.maximum(stop, begin + scale) - begin)])
    x, w = (torch.from_numpy(each).to(start) for each in np.polynomial.legendre.leggauss(NODES))
    half, middle = (ends[1:] - ends[:-1]) / 2, (ends[1:] + ends[:-1]) / 2
    nodes = (middle[:, None] + half[:, None] * x[:, None]).flatten(0, 1)
    return States(nodes, (half[:, None].log() + w.log()[:, None]).flatten(0, 1), 1)


def weights_of(model: RBM) -> Tensor:
    """The matrix of any coupling between the two statistics, (visible, hidden)."""
    shape, like = model.visible.statistic_shape, model.visible.zero_input()
    return model.coupling.to_hidden(torch.eye(math.prod(shape)).to(like).reshape(-1, *shape)).flatten(1)


def columns_of(model: RBM) -> Iterator[ColumnStates]:
    """The states of each column of a machine's visible layer, in order. A column is one unit, or one group of a softmax layer.

    The inputs of a column are bounded by what the hidden units can send. Raises a ValueError where they can send anything and the column's
    states do not end.
    """
    weight = weights_of(model)
    high, low = (sign * model.hidden.max_interaction(sign * weight.T).to(weight) for sign in (1, -1))
    for start, stop, leaf in leaves(model.visible):
        found = states_of(leaf, low[start:stop], high[start:stop])
        values = found.values.reshape(len(found.values), *leaf.shape)
        energy, sent = leaf.energy_terms(values).flatten(1), leaf.statistic(values).flatten(1)
        for column in range((stop - start) // found.width):
            units = slice(column * found.width, (column + 1) * found.width)
            first = start + units.start
            input = sent[:, units] @ weight[first : first + found.width]
            yield ColumnStates(first, first + found.width, energy[:, units].sum(1), found.log_weight[:, column], input)

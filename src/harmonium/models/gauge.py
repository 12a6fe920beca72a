"""The gauge freedom of one-of-K units."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.models.rbm import RBM
from harmonium.units import ReplicatedSoftmax, Softmax, Unit
from harmonium.units.groups import leaves


@torch.no_grad()
def zero_sum_gauge(rbm: RBM) -> RBM:
    """A copy with the same distribution, whose Softmax biases and weights sum to zero over the categories of each group.

    In this gauge, weights can be compared between groups and between machines. Each part of `Groups` is treated by itself. A machine
    without Softmax units is copied unchanged.

    Parameters
    ----------
    rbm : RBM
        A machine with a dense coupling. No Softmax group may be absent from a case: an absent group has no category that is on.

    Returns
    -------
    RBM
        The copy. Its energies differ from those of `rbm` by a constant.

    Raises
    ------
    TypeError
        For another coupling, and for units without a bias that can absorb the constant.
    ValueError
        If that bias is shared, or frozen because a document's length scales it.

    Notes
    -----
    Exactly one category of a group is on. So the distribution does not change if a constant is subtracted from all weights between a group
    and a unit of the other layer, and added to that unit's bias. Nor does it change if a constant is subtracted from all biases of the
    group.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Softmax(2, categories=3), hm.Bernoulli(4), seed=1)
    >>> sums = hm.zero_sum_gauge(rbm).coupling.weight.reshape(2, 3, 4).sum(1)
    >>> bool(sums.abs().max() < 1e-6)
    True
    """
    if not isinstance(rbm.coupling, Dense):
        raise TypeError(f"the zero-sum gauge is that of a dense coupling, found {type(rbm.coupling).__name__}")
    found = copy.deepcopy(rbm)
    weight = found.coupling.get_parameter("weight").data
    _centre(found.visible, found.hidden, weight, frozen=found.visible.scales_hidden_bias)
    _centre(found.hidden, found.visible, weight.T)
    return found


def _centre(unit: Unit, other: Unit, weight: Tensor, frozen: bool = False) -> None:
    """Centres the Softmax groups of one layer, `weight` being (its statistic, the other layer's), in place."""
    rest = torch.zeros_like(weight[0])
    for start, stop, leaf in leaves(unit):
        if isinstance(leaf, Softmax):
            rows = weight[start:stop].reshape(leaf.groups, leaf.categories, -1)
            means = rows.mean(1, keepdim=True)
            weight[start:stop] = (rows - means).reshape(stop - start, -1)
            rest += means.sum((0, 1))
            biases = leaf.grouped(leaf.bias.data)
            leaf.bias.data = (biases - biases.mean(-1, keepdim=True)).flatten()
    if not bool(rest.any()):
        return
    if frozen:
        raise ValueError("the hidden biases, which a document's length scales, stay at zero and cannot absorb the mean weights")
    for start, stop, leaf in leaves(other):
        _take_up(leaf, rest[start:stop])


def _take_up(unit: Unit, input: Tensor) -> None:
    """Adds a constant input, (statistic size), to a layer's biases, which absorb it."""
    if isinstance(unit, ReplicatedSoftmax):
        unit.bias.data += input[:-1] + input[-1]  # each word's bias, as the length counts all words
        return
    bias = dict(unit.named_parameters()).get("bias")
    if bias is None:
        raise TypeError(f"{type(unit).__name__} units have no bias that can absorb the mean weights")
    if bias.shape != unit.shape:
        raise ValueError(f"the mean weights differ from unit to unit, and a shared bias of shape {tuple(bias.shape)} cannot absorb them")
    bias.data += input.reshape(unit.shape)

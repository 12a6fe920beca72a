"""The freedom that one-of-k units leave in a machine's parameters."""

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
    """A copy with the same distribution whose Softmax biases and weights add up to zero over the categories of each group.

    One category of a group is always on, so that a constant taken from all of a group's weights to a unit of the other layer, and added
    to that unit's bias, changes nothing, nor does a constant taken from all of its biases; energies move by a constant only. In this
    gauge weights can be compared between groups and machines. Parts of `Groups` are treated each by itself; machines without Softmax
    units come back as they are. It holds where no group is absent: an absent one has no category on.

    TypeError for couplings that are not dense, or units without a bias to take up the rest; ValueError where that bias is shared, or
    frozen because a document's length scales it.
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
        raise ValueError("the hidden biases, which a document's length scales, stay at zero and cannot take up the rest of the weights")
    for start, stop, leaf in leaves(other):
        _take_up(leaf, rest[start:stop])


def _take_up(unit: Unit, input: Tensor) -> None:
    """Adds a constant input, (statistic size), to a layer's biases."""
    if isinstance(unit, ReplicatedSoftmax):
        unit.bias.data += input[:-1] + input[-1]  # of each word, as the length counts all of them
        return
    bias = dict(unit.named_parameters()).get("bias")
    if bias is None:
        raise TypeError(f"{type(unit).__name__} units have no bias to take up the rest of the weights")
    if bias.shape != unit.shape:
        raise ValueError(
            f"the rest of the weights differs from unit to unit, and a shared bias of shape {tuple(bias.shape)} cannot take it up"
        )
    bias.data += input.reshape(unit.shape)

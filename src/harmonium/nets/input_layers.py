"""From the states below a coupling to the total input of the layer above it, as modules of torch.nn."""

from __future__ import annotations

import math
from functools import singledispatch

import torch
from torch import Tensor, nn

from harmonium.couplings import Convolutional, Coupling, Dense, LowRank
from harmonium.nets.fixed_factors import FixedFactors
from harmonium.nets.unit_biases import UnitBiases
from harmonium.units import Unit


@singledispatch
def input_layer(coupling: Coupling, visible: Unit, hidden: Unit) -> list[nn.Module]:
    """Modules from the flattened states of a layer, (cases, units), to the flattened total input of the next, biases included."""
    raise TypeError(f"a feed-forward layer takes a dense, low-rank or convolutional coupling, found {type(coupling).__name__}")


@input_layer.register
def of_dense(coupling: Dense, visible: Unit, hidden: Unit) -> list[nn.Module]:
    seen = statistics(visible, coupling.weight)
    return [linear(seen @ coupling.weight[: seen.shape[1]], biases(hidden))]


@input_layer.register
def of_low_rank(coupling: LowRank, visible: Unit, hidden: Unit) -> list[nn.Module]:
    """The factors, linear units without biases, between two linear modules."""
    seen = statistics(visible, coupling.left)
    return [linear(seen @ coupling.left[: seen.shape[1]], None), linear(coupling.right, biases(hidden))]


@input_layer.register
def of_convolutional(coupling: Convolutional, visible: Unit, hidden: Unit) -> list[nn.Module]:
    """A convolution with a bias for each channel where the units share them so, else for each unit."""
    kernel, bias = coupling.weight, hidden.get_parameter("bias")
    shared = all(size == 1 for size in bias.shape[1 - len(hidden.shape) :])
    kind = (nn.Conv1d, nn.Conv2d)[len(coupling.kernel) - 1]
    convolution = kind(
        coupling.visible[0],
        coupling.channels,
        coupling.kernel,  # type: ignore[arg-type]
        stride=coupling.stride,  # type: ignore[arg-type]
        padding=coupling.padding,  # type: ignore[arg-type]
        bias=shared,
        device="meta",
        dtype=kernel.dtype,
    ).to_empty(device=kernel.device)
    convolution.weight.copy_(kernel)
    convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a step takes two thirds of the time
    modules = [*factors(visible, kernel), nn.Unflatten(1, coupling.visible), convolution, nn.Flatten()]
    if shared:
        assert convolution.bias is not None
        convolution.bias.copy_(bias.expand(hidden.shape).flatten(1)[:, 0])
        return modules
    own = UnitBiases(math.prod(hidden.shape)).to(bias)
    own.bias.copy_(biases(hidden))
    return [*modules, own]


def statistics(unit: Unit, like: Tensor) -> Tensor:
    """The flattened statistic of each unit's state alone at one, (units, statistic size): a state's statistic is linear in it."""
    units = math.prod(unit.shape)
    each = torch.eye(units, dtype=like.dtype, device=like.device).reshape(units, *unit.shape)
    return unit.statistic(each).flatten(1)


def factors(unit: Unit, like: Tensor) -> list[nn.Module]:
    """What multiplies the states of a layer whose statistic is not the state itself."""
    found = unit.statistic(torch.ones(1, *unit.shape, dtype=like.dtype, device=like.device)).flatten()
    if bool((found == 1).all()):
        return []
    module = FixedFactors(len(found)).to(like)
    module.factor.copy_(found)
    return [module]


def biases(hidden: Unit) -> Tensor:
    """The bias of each hidden unit, (units)."""
    return hidden.get_parameter("bias").expand(hidden.shape).flatten()


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear module with these weights, (inputs, outputs), and biases. (`torch.nn.Linear` itself would draw from the global seed.)"""
    inputs, outputs = weight.shape
    module = nn.Linear(inputs, outputs, bias=bias is not None, device="meta", dtype=weight.dtype).to_empty(device=weight.device)
    module.weight.copy_(weight.T)
    if bias is not None:
        module.bias.copy_(bias)
    return module

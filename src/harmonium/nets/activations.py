"""From a layer's total input to its mean, as modules of torch.nn."""

from __future__ import annotations

import math
from functools import singledispatch

from torch import nn

from harmonium.nets.block_pooling import BlockPooling
from harmonium.units import Bernoulli, Gaussian, NoisyReLU, PooledBlocks, Spin, SteppedSigmoid, TruncatedGaussian, Unit


@singledispatch
def activation(unit: Unit) -> list[nn.Module]:
    """Modules from the flattened total input of a layer, (cases, units), to its output, (cases, outputs).

    For rectified units it is the function without noise (Nair & Hinton 2010). Units of one's own register theirs:
    `activation.register(MyUnit, lambda unit: [...])`.
    """
    raise TypeError(f"there is no feed-forward layer for {type(unit).__name__} hidden units")


@activation.register
def of_bernoulli(unit: Bernoulli) -> list[nn.Module]:
    return [nn.Sigmoid()]


@activation.register
def of_gaussian(unit: Gaussian) -> list[nn.Module]:
    return [nn.Identity()]


@activation.register
def of_spin(unit: Spin) -> list[nn.Module]:
    return [nn.Tanh()]


@activation.register
def of_noisy_relu(unit: NoisyReLU) -> list[nn.Module]:
    return rectified(unit.cap)


@activation.register
def of_stepped_sigmoid(unit: SteppedSigmoid) -> list[nn.Module]:
    return rectified(unit.copies)


@activation.register
def of_truncated_gaussian(unit: TruncatedGaussian) -> list[nn.Module]:
    return rectified(None)


@activation.register
def of_pooled_blocks(unit: PooledBlocks) -> list[nn.Module]:
    image = nn.Unflatten(1, unit.shape)
    return [image, BlockPooling(unit.pool), nn.Flatten()] if len(unit.shape) > 1 else [BlockPooling(unit.pool)]


def rectified(cap: float | None) -> list[nn.Module]:
    """max(0, x), up to a cap."""
    return [nn.ReLU() if cap is None else nn.Hardtanh(0.0, float(cap))]


def width(unit: Unit) -> int:
    """The number of outputs of a layer."""
    return math.prod(unit.output_shape)

"""How large random weights of deep nets are to be (Glorot & Bengio 2010)."""

from __future__ import annotations

import math

import torch
from torch import nn

STEEP = 4.0  # a logistic unit's slope at zero is a quarter: weights into it are so many times as large


def spread(inputs: int, outputs: int, *, linear: bool = False) -> float:
    """The standard deviation of the weights between a layer and the next.

    Parameters
    ----------
    inputs, outputs
        Numbers of weights into a unit of the next layer, and out of a unit of this one.
    linear
        Whether the units of the next layer are linear; by default they are logistic.

    Returns
    -------
    float
        √(2 / (inputs + outputs)), four times as much into logistic units.
    """
    return math.sqrt(2 / (inputs + outputs)) * (1.0 if linear else STEEP)


@torch.no_grad()
def begun(net: nn.Sequential, seed: int) -> nn.Sequential:
    """The net with weights from U(-1/√k, 1/√k), k being the number of a unit's inputs, and zero biases."""
    generator = torch.Generator().manual_seed(seed)
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            reach = layer.weight[0].numel() ** -0.5
            layer.weight.uniform_(-reach, reach, generator=generator)
            nn.init.zeros_(layer.get_parameter("bias"))
    return net

"""The biases that a change of the weights can be made up for with."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from harmonium.units import Unit
from harmonium.units.groups import leaves


def learnt_biases(unit: Unit) -> Iterator[tuple[nn.Parameter, tuple[int, ...], int]]:
    """The biases that add to a layer's input and are learnt, with the shape of their part of the layer and where it begins."""
    for start, _, leaf in leaves(unit):
        bias = getattr(leaf, "bias", None)
        if isinstance(bias, nn.Parameter) and bias.requires_grad:
            yield bias, leaf.shape, start

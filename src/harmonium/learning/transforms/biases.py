"""The biases that can compensate for a change of the weights."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from harmonium.units import Unit
from harmonium.units.groups import leaves


def learnt_biases(unit: Unit) -> Iterator[tuple[nn.Parameter, tuple[int, ...], int]]:
    """The learned biases that add to a layer's input, each with the shape of its part of the layer and the part's start."""
    for start, _, leaf in leaves(unit):
        bias = getattr(leaf, "bias", None)
        if isinstance(bias, nn.Parameter) and bias.requires_grad:
            yield bias, leaf.shape, start

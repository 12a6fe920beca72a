"""Layers as people name them: units, or a number of binary ones."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral

from harmonium.units.bernoulli import Bernoulli
from harmonium.units.unit import Unit


def as_layer(layer: Unit | int) -> Unit:
    """A layer of units, or as many binary ones. Raises a TypeError for anything else."""
    if isinstance(layer, Integral) and not isinstance(layer, bool):
        return Bernoulli(int(layer))
    if not isinstance(layer, Unit):
        raise TypeError(f"a layer is units, such as hm.Bernoulli(10), or a number of binary ones, found {layer!r}")
    return layer


def as_layers(layers: Iterable[Unit | int]) -> list[Unit]:
    """Each as a layer. Raises a TypeError for what is none, or no sequence of them."""
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers are a list from the data upwards, such as [784, 500, 500], found {layers!r}")
    return [as_layer(layer) for layer in layers]

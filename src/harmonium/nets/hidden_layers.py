"""The hidden layers of a model as modules of torch.nn."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

from torch import nn

from harmonium.models import DBN, RBM
from harmonium.nets.activations import activation, width
from harmonium.nets.input_layers import input_layer
from harmonium.units import Unit


class HiddenLayer(NamedTuple):
    """The modules of one layer, from states below, (cases, units), to its output.

    Attributes
    ----------
    modules : list of torch.nn.Module
        The modules, one after another.
    takes : int or None
        The number of leading inputs that they take, where others are for the layers above; by default all.
    """

    modules: list[nn.Module]
    takes: int | None = None


class HiddenLayers(NamedTuple):
    """What a net needs of a model.

    Attributes
    ----------
    visible : Unit
        The units of the net's inputs.
    layers : list of HiddenLayer
        The layers, from the data upwards.
    outputs : int
        The number of outputs of the last one.
    """

    visible: Unit
    layers: list[HiddenLayer]
    outputs: int


@singledispatch
def hidden_layers(model: object) -> HiddenLayers:
    """The hidden layers of a model, with copies of its weights. Raises a TypeError for what has none."""
    raise TypeError(f"a net is made from an RBM, a deep belief net or a deep Boltzmann machine, found {type(model).__name__}")


@hidden_layers.register
def of_dbn(model: DBN) -> HiddenLayers:
    """Recognition weights; label units beside the top RBM's visible layer are left out, as if none of them were on."""
    layers = []
    for rbm in model.rbms:
        visible = model.penultimate if rbm is model.top else rbm.visible
        layers.append(HiddenLayer([*input_layer(rbm.coupling, visible, rbm.hidden), *activation(rbm.hidden)]))
    return HiddenLayers(model.visible, layers, width(model.top.hidden))


@hidden_layers.register
def of_rbm(model: RBM) -> HiddenLayers:
    return of_dbn(DBN([model]))

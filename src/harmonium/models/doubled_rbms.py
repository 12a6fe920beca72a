"""RBMs with doubled layers, from which a deep Boltzmann machine is composed (Salakhutdinov & Hinton 2009, section 3)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from harmonium.models.dbm import DBM
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli, Binomial, Unit


def doubled(unit: Unit) -> Binomial:
    """A layer with two tied copies of every unit, as binomial units.

    The states n = x + x' count the copies that are on. Of a binary unit with bias b the energy is -b n - log C(2, n). A layer that is
    connected to both copies receives twice the input of one copy. This stands in for the layer on its other side, which is not learnt yet.

    Parameters
    ----------
    unit : Bernoulli or Binomial
        The layer of single copies.

    Returns
    -------
    Binomial
        A new layer with twice the copies and the same biases.

    Raises
    ------
    ValueError
        For other units: their pairs are no kind of unit in this library.

    Examples
    --------
    >>> import harmonium as hm
    >>> from harmonium.models import doubled
    >>> doubled(hm.Bernoulli(4)).copies
    2
    """
    if isinstance(unit, Bernoulli):
        copies, means = 2, unit.values == "probabilities"
    elif isinstance(unit, Binomial):
        copies, means = 2 * unit.copies, unit.values == "means"
    else:
        raise ValueError(f"a layer that is doubled must have Bernoulli or Binomial units, found {type(unit).__name__}")
    found = Binomial(unit.shape, copies=copies, bias_shape=unit.bias_shape, values="means" if means else "counts")
    found.to(unit.bias)
    with torch.no_grad():
        found.bias.copy_(unit.bias)
    return found


@torch.no_grad()
def composed(rbms: Sequence[RBM], layers: Sequence[Unit]) -> DBM:
    """The deep Boltzmann machine composed of RBMs that were learnt one above the other.

    Parameters
    ----------
    rbms : sequence of RBM
        The machines, from the data upwards. Every one but the last has a doubled visible layer, and every one but the first a doubled
        hidden layer.
    layers : sequence of Unit
        The layers in single copies, from the data upwards.

    Returns
    -------
    DBM
        The composed machine. It shares the weights of the RBMs. Its biases are new.

    Notes
    -----
    A layer between two RBMs has two models: one with twice its input from below, one with twice its input from above. In the composed
    machine each supplies half of the layer's input. So the layer's bias is the mean of their two biases. The lowest and the highest
    biases are copies.

    Examples
    --------
    >>> import harmonium as hm
    >>> from harmonium.models import composed, doubled
    >>> layers = [hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)]
    >>> lower = hm.RBM(doubled(layers[0]), layers[1])
    >>> upper = hm.RBM(layers[1], doubled(layers[2]))
    >>> [unit.shape for unit in composed([lower, upper], layers).layers]
    [(6,), (4,), (3,)]
    """
    units = [copy.deepcopy(unit) for unit in layers]
    for number, unit in enumerate(units):
        here = ([rbms[number - 1].hidden] if number else []) + ([rbms[number].visible] if number < len(rbms) else [])
        biases: list[torch.Tensor] = [model.get_parameter("bias") for model in here]
        unit.get_parameter("bias").copy_(torch.stack(biases).mean(0))
    return DBM(units, [rbm.coupling for rbm in rbms])

"""Machines of doubled layers, which a deep Boltzmann machine is put together from (Salakhutdinov & Hinton 2009, section 3)."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from harmonium.models.dbm import DBM
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli, Binomial, Unit


def doubled(unit: Unit) -> Binomial:
    """Two copies of every unit, tied: of the number that is on, n = x + x', energy -b·n - log C(2, n) of a binary unit.

    A layer that meets two copies gets twice the input that one would send it, which makes up for the layer on its other side, not
    learnt yet. ValueError for units but Bernoulli and Binomial ones: two copies of others are no layer of a kind known here.
    """
    if isinstance(unit, Bernoulli):
        copies, means = 2, unit.values == "probabilities"
    elif isinstance(unit, Binomial):
        copies, means = 2 * unit.copies, unit.values == "means"
    else:
        raise ValueError(f"layers that are doubled are of Bernoulli or Binomial units, found {type(unit).__name__}")
    found = Binomial(unit.shape, copies=copies, bias_shape=unit.bias_shape, values="means" if means else "counts")
    found.to(unit.bias)
    with torch.no_grad():
        found.bias.copy_(unit.bias)
    return found


@torch.no_grad()
def composed(rbms: Sequence[RBM], layers: Sequence[Unit]) -> DBM:
    """The deep Boltzmann machine of `layers`, single copies, whose neighbours were learnt as `rbms`, one on the other.

    Every RBM but the first has a doubled hidden layer and every one but the last a doubled visible one. A layer between two of them has
    two models, one with twice its input from below and one with twice that from above; half of each is its input in the whole, and so
    its bias is the mean of theirs. The weights are the machines' own, shared with them; the lowest and the highest biases are copies.
    """
    units = [copy.deepcopy(unit) for unit in layers]
    for number, unit in enumerate(units):
        here = ([rbms[number - 1].hidden] if number else []) + ([rbms[number].visible] if number < len(rbms) else [])
        biases: list[torch.Tensor] = [model.get_parameter("bias") for model in here]
        unit.get_parameter("bias").copy_(torch.stack(biases).mean(0))
    return DBM(units, [rbm.coupling for rbm in rbms])

"""What a machine is made of: the kinds of its units and couplings, on which the defaults of `fit` depend."""

from __future__ import annotations

import math

from harmonium.couplings import Dense
from harmonium.models import DBM, RBM
from harmonium.units import Bernoulli, Unit
from harmonium.units.groups import leaves


def is_dense(model: RBM | DBM) -> bool:
    """Whether each weight joins one unit to one other."""
    return all(type(each) is Dense for each in (model.couplings if isinstance(model, DBM) else [model.coupling]))


def is_deep(model: RBM | DBM) -> bool:
    """Whether it has more than two layers."""
    return isinstance(model, DBM) and len(model.couplings) > 1


def is_endless(layer: Unit) -> bool:
    """Whether a layer has units without a highest value."""
    return any(leaf.count == math.inf for _, _, leaf in leaves(layer))


def has(layer: Unit, kind: type) -> bool:
    """Whether a layer has units of this kind."""
    return any(isinstance(leaf, kind) for _, _, leaf in leaves(layer))


def takes_means(layer: Unit) -> bool:
    """Whether the data of a layer are means of its units, such as grey levels and features, and not their states."""
    return any(getattr(leaf, "values", "") in ("probabilities", "means") for _, _, leaf in leaves(layer))


def all_binary(machine: RBM) -> bool:
    """Whether all units of both layers are binary."""
    return all_of(machine.visible, Bernoulli) and all_of(machine.hidden, Bernoulli)


def all_of(layer: Unit, *kinds: type[Unit]) -> bool:
    """Whether all units of a layer are of these kinds."""
    return all(isinstance(leaf, kinds) for _, _, leaf in leaves(layer))

"""The default optimiser of `fit`."""

from __future__ import annotations

import math
from functools import partial

from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import Groups, MakeOptimizer
from harmonium.models import RBM
from harmonium.units import Exponential
from harmonium.units.groups import leaves
from harmonium.units.scaled import Scaled


def groups_of(model: RBM, weight_cost: float) -> Groups:
    """Parameter groups of an optimiser: the coupling's parameters, with the weight cost, and the units'."""
    return [
        {"params": list(model.coupling.parameters()), "weight_decay": weight_cost},
        {"params": [*model.visible.parameters(), *model.hidden.parameters()], "weight_decay": 0.0},
    ]


def default_optimizer(model: RBM, standardise: bool = True) -> MakeOptimizer:
    """Fused SGD with momentum. The rate is lower if a layer is real-valued or unbounded.

    It is lowest where one step too large makes an input that an exponential unit cannot take.
    """
    layers = [[leaf for _, _, leaf in leaves(unit)] for unit in (model.visible, model.hidden)]
    endless = [any(leaf.count == math.inf for leaf in layer) for layer in layers]
    scaled = any(isinstance(leaf, Scaled) for layer in layers for leaf in layer)
    brittle = any(isinstance(leaf, Exponential) for leaf in layers[1])
    rate = 1e-4 if brittle or (scaled and (all(endless) or not standardise)) else 1e-3 if any(endless) else 1e-2
    return partial(MomentumSGD, lr=rate, momentum=0.9)

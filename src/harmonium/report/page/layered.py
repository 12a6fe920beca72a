"""Every net that the page shows in one form: directed layers below, and above them a chain of layers that are joined both ways.

An RBM is such a chain of two layers, a deep Boltzmann machine one of more. A deep belief net is a chain of two above directed layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import singledispatch

import torch
from torch import Tensor

from harmonium.couplings import Coupling
from harmonium.models import DBM, DBN, RBM
from harmonium.units import Bernoulli, Gaussian, Unit


@dataclass(frozen=True)
class Link:
    """The weights between a layer and the one above: (units below, units above). While a net's directions are tied they are one tensor."""

    up: Tensor
    down: Tensor


@dataclass(frozen=True)
class Layered:
    """A net, from the data upwards.

    Attributes
    ----------
    kind
        Name of the model's class.
    directed
        Links below the undirected chain.
    links
        One between each two layers.
    up
        Biases of each layer above the lowest when it is recognised from below: (units,).
    down
        Biases of each layer below the highest when it is generated from above: (units,).
    variance
        (pixels,) of Gaussian data, None of binary data.
    labels
        The label units' weights, (labels, units of the highest layer), and biases, (labels,). They stand beside layer `directed`.
    """

    kind: str
    directed: int
    links: list[Link]
    up: list[Tensor]
    down: list[Tensor]
    variance: Tensor | None = None
    labels: tuple[Tensor, Tensor] | None = None


@singledispatch
def layered(model: object) -> Layered:
    """A net in the page's form. TypeError for a model, unit or coupling that the page cannot show."""
    raise TypeError(f"the page shows an RBM, a DBN or a DBM, found {type(model).__name__}")


@layered.register
def _of_rbm(model: RBM) -> Layered:
    return _chain("RBM", [model.visible, model.hidden], [model.coupling])


@layered.register
def _of_dbm(model: DBM) -> Layered:
    return _chain("DBM", model.layers, model.couplings)


@layered.register
def _of_dbn(model: DBN) -> Layered:
    top, width = _matrix(model.top.coupling), math.prod(model.penultimate.shape)
    upwards, downwards = list(model.upwards()), list(model.downwards())[::-1]
    links = [_link(up.coupling, down.coupling) for up, down in zip(upwards, downwards, strict=True)]
    above, below = [layer.unit for layer in upwards] + [model.top.hidden], [layer.unit for layer in downwards] + [model.penultimate]
    features, rows = top[:width], top[width:]
    labels = None if model.labels is None else (rows, model.labels.bias.detach().cpu().float().flatten())
    return Layered(
        kind="DBN",
        directed=len(links),
        links=[*links, Link(features, features)],
        up=[_bias(unit) for unit in above],
        down=[_bias(unit, pixels=number == 0) for number, unit in enumerate(below)],
        variance=_variance(model.visible),
        labels=labels,
    )


def _chain(kind: str, units: list[Unit], couplings: list[Coupling]) -> Layered:
    weights = [_matrix(coupling) for coupling in couplings]
    biases = [_bias(unit, pixels=number == 0) for number, unit in enumerate(units)]
    return Layered(kind, 0, [Link(each, each) for each in weights], biases[1:], biases[:-1], _variance(units[0]))


def _link(up: Coupling, down: Coupling) -> Link:
    weights = _matrix(up)
    return Link(weights, weights if down is up else _matrix(down))


def _matrix(coupling: Coupling) -> Tensor:
    if coupling.core is not coupling:
        raise TypeError(f"the page shows nets whose weights do not depend on a context, found {type(coupling).__name__}")
    return coupling.matrix().detach().cpu().float()


def _bias(unit: Unit, *, pixels: bool = False) -> Tensor:
    known = (Bernoulli, Gaussian) if pixels else (Bernoulli,)
    if type(unit) not in known:
        names = " or ".join(kind.__name__ for kind in known)
        beside = "; labels beside the data are shown of hm.DBN([rbm], labels=True)" if pixels else ""
        raise TypeError(f"the page shows {'data' if pixels else 'hidden layers'} of {names} units, found {unit}{beside}")
    return unit.get_parameter("bias").detach().cpu().float().expand(unit.shape).flatten()


def _variance(unit: Unit) -> Tensor | None:
    if not isinstance(unit, Gaussian):
        return None
    return torch.exp(unit.log_variance.detach().cpu().float()).expand(unit.shape).flatten()

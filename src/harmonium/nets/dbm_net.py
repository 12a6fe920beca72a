"""The net of a deep Boltzmann machine, which sees q(h2 | v) beside the data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.tables import as_tensor
from harmonium.models import DBM
from harmonium.models.dbm import SETTLED, TOLERANCE
from harmonium.nets.activations import activation
from harmonium.nets.hidden_layers import HiddenLayer, HiddenLayers, hidden_layers
from harmonium.nets.input_layers import biases, linear, statistics
from harmonium.units import Groups


@hidden_layers.register
def of_dbm(model: DBM) -> HiddenLayers:
    """One mean-field update of each layer in turn, in which the layer above is at the mean that comes with the inputs."""
    units, couplings, layers = model.layers, model.couplings, []
    top = len(units) - 1
    for number in range(1, top + 1):
        seen = statistics(units[number - 1], couplings[number - 1].matrix())
        weight = seen @ couplings[number - 1].matrix()
        if number < top:
            above = statistics(units[number + 1], weight) @ couplings[number].matrix().T
            weight = torch.cat([weight, above])
        modules = [linear(weight, biases(units[number])), *activation(units[number])]
        layers.append(HiddenLayer(modules, len(weight) if number < top - 1 else None))
    above_first = [unit.as_visible_layer().to(unit.zero_input()) for unit in units[2:]]
    visible = Groups(units[0], *above_first) if above_first else units[0]
    return HiddenLayers(visible, layers, units[top].shape[0])


@torch.no_grad()
def dbm_inputs(dbm: DBM, data: Any, *, sweeps: int = SETTLED, tolerance: float | None = TOLERANCE) -> Tensor:
    """Data beside the mean-field means of every hidden layer but the first: the inputs of a deep Boltzmann machine's net.

    They are computed once, for training and for test cases alike, because fine-tuning leaves the machine as it is.

    Parameters
    ----------
    dbm : DBM
        The machine that the net is made from.
    data : Tensor or array
        Cases, (cases, units), as the machine takes them.
    sweeps, tolerance
        As for `DBM.hidden_mean`, whose means they are.

    Returns
    -------
    Tensor
        (cases, units of v, h2, h3, ...), of the machine's type and device.

    Raises
    ------
    ValueError
        For data that the visible units cannot take.
    TypeError
        For another model.

    Notes
    -----
    See Salakhutdinov & Hinton (2009), section 3.3: the machine initialises a deterministic net, whose first hidden layer sees q(h2 | v)
    as further inputs.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbm = hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)])
    >>> inputs = hm.nets.dbm_inputs(dbm, torch.eye(6))
    >>> inputs.shape
    torch.Size([6, 9])
    >>> net = hm.nets.classifier(dbm, classes=2)
    >>> state = hm.fine_tune(net, inputs, torch.arange(6) % 2, epochs=2, progress=False)
    """
    if not isinstance(dbm, DBM):
        raise TypeError(
            f"these are the inputs of a deep Boltzmann machine's net, found {type(dbm).__name__}: other nets take the data itself"
        )
    rows = as_tensor(data)
    found = []
    for block in torch.split(rows, BLOCK):
        dbm.visible.check(block)
        v = dbm.visible.from_data(block, dbm.visible.zero_input())
        _, _, *above = [v, *dbm.hidden_mean(v, sweeps=sweeps, tolerance=tolerance)]
        found.append(torch.cat([v, *above], dim=1))
    return torch.cat(found)

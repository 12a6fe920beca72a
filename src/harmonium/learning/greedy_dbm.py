"""Training a deep Boltzmann machine one layer at a time, before all layers are trained together."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.couplings import Coupling
from harmonium.data.batches import MappedRows, Source
from harmonium.data.tables import as_data
from harmonium.learning.cases import Rows, as_rows
from harmonium.learning.fit import fit
from harmonium.learning.greedy import Train
from harmonium.learning.per_layer import check_layers, of_layer
from harmonium.models import DBM, RBM, composed, doubled
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Binomial, Unit
from harmonium.units.as_layer import as_layers


def greedy_dbm(
    data: Rows,
    layers: Sequence[Unit | int],
    *,
    couplings: Sequence[Coupling | None] | None = None,
    sampled: bool = True,
    seed: int = 0,
    train: Train | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> DBM:
    """Train an RBM on the data, then the next one on its features, and so on, and combine them as a deep Boltzmann machine.

    The result is an initialisation for `hm.fit(dbm, data, negative=hm.PersistentCD(...))`.

    Parameters
    ----------
    data : Tensor, array or Source
        Cases, (cases, units).
    layers : sequence of Unit or int
        The units from the data upwards, at least three layers; a number is a layer of as many binary units. The hidden ones are Bernoulli,
        over Bernoulli or Binomial visible ones. Copies of them make up the machine.
    couplings : sequence of Coupling or None, optional
        As for `DBM`.
    sampled : bool, default True
        Features are samples, drawn anew at each visit, each layer given the doubled one below. With False they are means.
    seed : int, default 0
        Seed from which those of all machines derive.
    train : callable, optional
        `train(rbm, data, index)` trains each machine in place of `fit`, where machines differ in their settings.
    checkpoints : path-like, optional
        A folder with one checkpoint per machine.
    **settings
        Arguments of `fit` for every machine; a `PerLayer` has one value for each.

    Returns
    -------
    DBM
        The machine.

    Raises
    ------
    ValueError
        For other units, for fewer than three layers, for data that cannot be indexed by case number, and for both `train` and `settings`.
    TypeError
        If a layer is neither units nor a number.

    Notes
    -----
    In the final machine each RBM supplies half of an intermediate layer's input. So during training the input from such a layer's one known
    neighbour is doubled, by two tied copies of every unit of that neighbour (Salakhutdinov & Hinton 2009, section 3). The first RBM sees
    the data twice, the last one has its hidden layer twice, and those between have both.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbm = hm.greedy_dbm(torch.eye(6), [hm.Bernoulli(6), hm.Bernoulli(5), hm.Bernoulli(4)], epochs=2, progress=False)
    >>> [len(unit.bias) for unit in dbm.layers]
    [6, 5, 4]
    """
    units = as_layers(layers)
    if len(units) < 3:
        raise ValueError(
            f"a deep Boltzmann machine has at least three layers, found {len(units)}; two layers are an RBM, trained by hm.fit"
        )
    others = sorted({type(unit).__name__ for unit in units[1:] if not isinstance(unit, Bernoulli)})
    if others:
        raise ValueError(f"greedy_dbm takes hidden layers of Bernoulli units, found {', '.join(others)}")
    if train is not None and settings:
        raise ValueError(
            f"train= sets the training of each machine, and cannot be combined with other settings, found {', '.join(settings)}"
        )
    check_layers(settings, len(units) - 1)
    data = as_data(data)
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError("a deep Boltzmann machine takes data that can be indexed by case number: a tensor, array or Source")
    links = DBM(units, couplings, seed=seed).couplings  # also raises an error for layers that make no machine
    like = next(links[0].parameters()).detach()
    validation = settings.pop("validation", None)
    rows = as_rows(units[0], data, like)
    held = None if validation is None else as_rows(units[0], validation, like)
    rbms: list[RBM] = []
    for index, (below, above) in enumerate(pairwise(units)):
        first, last = index == 0, index == len(units) - 2
        here = copy.deepcopy(below) if first else _of_features(below, sampled).to(like)
        visible = here if last else doubled(here)
        hidden = copy.deepcopy(above) if first else doubled(above)
        rbm = RBM(visible, hidden, links[index])
        seen = _sent(rows, rbms, last, sampled)
        if train is not None:
            train(rbm, seen, index)
        else:
            path = None if checkpoints is None else Path(checkpoints) / f"layer-{index + 1}.safetensors"
            held_seen = None if held is None else _sent(held, rbms, last, sampled)
            fit(rbm, seen, seed=derive(seed, index), validation=held_seen, checkpoint=path, **of_layer(settings, index))
        rbms.append(rbm)
    return composed(rbms, units)


def _of_features(unit: Unit, sampled: bool) -> Unit:
    """A new layer for the states of a Bernoulli layer, or for its means."""
    assert isinstance(unit, Bernoulli)
    return Bernoulli(unit.shape, bias_shape=unit.bias_shape, values="binary" if sampled else "probabilities")


def _sent(source: Source, rbms: Sequence[RBM], single: bool, sampled: bool) -> Source:
    """The data of the machine on top of `rbms`, once or (unless `single`) doubled, computed anew at each visit."""
    below = list(rbms)

    def rise(rows: Tensor, generator: torch.Generator) -> Tensor:
        for rbm in below:
            share = rbm.hidden.mean(rbm.hidden_input(2 * rows)) / (rbm.hidden.copies if isinstance(rbm.hidden, Binomial) else 1)
            rows = torch.bernoulli(share, generator=generator) if sampled else share
        return rows if single else 2 * rows

    return MappedRows(source, torch.no_grad()(rise))

"""Learning a deep Boltzmann machine one layer of features at a time, before all of it learns together."""

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
from harmonium.learning.cases import Rows, as_rows
from harmonium.learning.fit import fit
from harmonium.learning.greedy import Train
from harmonium.models import DBM, RBM, composed, doubled
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Binomial, Unit


def greedy_dbm(
    data: Rows,
    layers: Sequence[Unit],
    *,
    couplings: Sequence[Coupling | None] | None = None,
    sampled: bool = True,
    seed: int = 0,
    train: Train | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> DBM:
    """Learns an RBM on the data, then another on its features, and so on, and puts them together as a deep Boltzmann machine.

    Each machine will have only half of what a layer between two of them hears. So the input that comes from such a layer's one known
    neighbour is doubled while it learns, by two tied copies of every unit of that neighbour (Salakhutdinov & Hinton 2009, section 3):
    the first RBM sees the data twice, the last has its hidden layer twice, and those between have both. What comes out is a start for
    `hm.fit(dbm, data, negative=hm.PersistentCD(...))`.

    `data`: (cases, units), a tensor, array or `Source`. `layers`: the units from the data upwards, at least three; Bernoulli hidden ones
    over Bernoulli or Binomial ones. Copies of them make up the machine. `couplings`: as of `DBM`. `sampled`: features are drawn anew at
    each visit, each layer given the doubled one below; else they are means. All `settings` go to `fit` for every machine; where these
    differ, `train(rbm, data, index)` does the learning instead. `checkpoints`: a folder for one a machine.

    ValueError for other units, for fewer layers, and for data that cannot be visited by number.
    """
    if len(layers) < 3:
        raise ValueError(f"two layers are an RBM, learnt by hm.fit; a deep Boltzmann machine has three or more, found {len(layers)}")
    others = sorted({type(unit).__name__ for unit in layers[1:] if not isinstance(unit, Bernoulli)})
    if others:
        raise ValueError(f"the hidden layers learnt one at a time are of Bernoulli units, found {', '.join(others)}")
    if train is not None and settings:
        raise ValueError(f"with train= the settings of each machine are its own, found {', '.join(settings)} too")
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError("a deep Boltzmann machine learns from data that can be visited by number: a tensor, array or Source")
    links = DBM(layers, couplings, seed=seed).couplings  # also refuses what makes none
    like = next(links[0].parameters()).detach()
    validation = settings.pop("validation", None)
    rows = as_rows(layers[0], data, like)
    held = None if validation is None else as_rows(layers[0], validation, like)
    rbms: list[RBM] = []
    for index, (below, above) in enumerate(pairwise(layers)):
        first, last = index == 0, index == len(layers) - 2
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
            fit(rbm, seen, seed=derive(seed, index), validation=held_seen, checkpoint=path, **settings)
        rbms.append(rbm)
    return composed(rbms, layers)


def _of_features(unit: Unit, sampled: bool) -> Unit:
    """A fresh layer for the states of a Bernoulli layer, or for its means."""
    assert isinstance(unit, Bernoulli)
    return Bernoulli(unit.shape, bias_shape=unit.bias_shape, values="binary" if sampled else "probabilities")


def _sent(source: Source, rbms: Sequence[RBM], single: bool, sampled: bool) -> Source:
    """What the machine on top of `rbms` sees of the data, once or (unless `single`) twice over: computed anew at each visit."""
    below = list(rbms)

    def rise(rows: Tensor, generator: torch.Generator) -> Tensor:
        for rbm in below:
            share = rbm.hidden.mean(rbm.hidden_input(2 * rows)) / (rbm.hidden.copies if isinstance(rbm.hidden, Binomial) else 1)
            rows = torch.bernoulli(share, generator=generator) if sampled else share
        return rows if single else 2 * rows

    return MappedRows(source, torch.no_grad()(rise))

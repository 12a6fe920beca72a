"""Learning a stack one layer of features at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.couplings import Coupling
from harmonium.learning.batches import BLOCK, ArrayRows, MappedRows, Source, derive
from harmonium.learning.fit import Data, as_rows, fit
from harmonium.learning.state import TrainingState
from harmonium.models import DBN, RBM
from harmonium.units import Unit

Train = Callable[[RBM, Any, int], TrainingState]


def greedy(
    data: Data,
    layers: Sequence[Unit],
    *,
    couplings: Sequence[Coupling | None] | None = None,
    seed: int = 0,
    train: Train | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> DBN:
    """Trains an RBM on the data, then another on the means of its hidden units, and so on, and stacks them (Hinton et al. 2006).

    `data`: (cases, *shape), as `fit` takes it. `layers`: the units from the data upwards, `layers[0]` being the visible ones.
    `couplings`: one between each two of them, None for a dense one; by default all are dense. All
    `settings` go to `fit` for every layer; where layers differ, `train(rbm, data, index)` does the learning instead.
    `checkpoints`: a folder for one checkpoint a layer, from which an interrupted stack goes on.
    """
    if len(layers) < 2:
        raise ValueError(f"a stack needs its visible units and at least one hidden layer, found {len(layers)} layers")
    if train is not None and settings:
        raise ValueError(f"with train= the settings of each layer are its own, found {', '.join(settings)} too")
    if not isinstance(data, Tensor | np.ndarray | Source) and iter(data) is data:
        raise ValueError("a stack walks its data once a layer, and an iterator can be walked once: give an iterable that begins anew")
    if couplings is not None and len(couplings) != len(layers) - 1:
        raise ValueError(f"{len(layers)} layers have {len(layers) - 1} couplings between them, found {len(couplings)}")
    validation = settings.pop("validation", None)
    rbms: list[RBM] = []
    for index, hidden in enumerate(layers[1:]):
        visible = layers[0] if index == 0 else layers[index].taking_means()
        coupling = None if couplings is None else couplings[index]
        rbm, below = RBM(visible, hidden, coupling, seed=derive(seed, index)), features(data, *rbms)
        if train is not None:
            train(rbm, below, index)
        else:
            path = None if checkpoints is None else Path(checkpoints) / f"layer-{index + 1}.safetensors"
            held_out = None if validation is None else features(validation, *rbms)
            fit(rbm, below, seed=derive(seed, index), checkpoint=path, validation=held_out, **settings)
        del below  # before the next layer's data take as much again
        rbms.append(rbm)
    return DBN(rbms)


class _StreamOfFeatures:
    """Each batch's hidden means, computed as the batches pass; weights go along."""

    def __init__(self, rbms: Sequence[RBM], batches: Iterable[Any]) -> None:
        self.rbms, self.batches = rbms, batches

    def __iter__(self) -> Iterator[Any]:
        for item in self.batches:
            rows, *weights = item if isinstance(item, tuple | list) else (item,)
            means = features(torch.as_tensor(rows), *self.rbms)
            yield (means, *weights) if weights else means


@torch.no_grad()
def features(data: Data, *rbms: RBM, sampled: bool = False) -> Any:
    """The means of the top hidden units of a stack, from the bottom up: the next machine's data. Of no machine, the data as they are.

    With `sampled` a source of stochastic up-passes, drawn anew at each visit: what the variational bound's next layer models.

    Of an array, a tensor (cases, *hidden.output_shape), computed a block at a time so that no layer between is ever kept whole; of a source
    that may draw each visit anew, a source; of an iterable of batches, an iterable of batches.
    """

    def rise(v: Tensor, generator: torch.Generator) -> Tensor:
        for rbm in rbms:
            v = rbm.hidden.output(rbm.sample_hidden(v, generator=generator) if sampled else rbm.hidden_mean(v))
        return v

    if not rbms:
        return data
    if not isinstance(data, Tensor | np.ndarray | Source):
        if sampled:
            raise ValueError("samples of the layers of a stack need data that can be visited by number: a tensor, array or Source")
        return _StreamOfFeatures(rbms, data)
    like = next(rbms[0].parameters()).detach()
    rows = as_rows(rbms[0], data, like)
    if sampled or not isinstance(rows, ArrayRows):
        return MappedRows(rows, rise)
    none = torch.Generator()  # that nothing draws with
    means = torch.empty(len(rows), *rbms[-1].hidden.output_shape, dtype=like.dtype, device=like.device)
    for block in torch.split(torch.arange(len(rows)), BLOCK):
        means[block[0] : block[-1] + 1] = rise(rows.rows(block, none), none)
    return means

"""Learning a stack one layer of features at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
    seed: int = 0,
    train: Train | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> DBN:
    """Trains an RBM on the data, then another on the means of its hidden units, and so on, and stacks them (Hinton et al. 2006).

    `data`: (cases, *shape), as `fit` takes it. `layers`: the units from the data upwards, `layers[0]` being the visible ones. All
    `settings` go to `fit` for every layer; where layers differ, `train(rbm, data, index)` does the learning instead.
    `checkpoints`: a folder for one checkpoint a layer, from which an interrupted stack goes on.
    """
    if len(layers) < 2:
        raise ValueError(f"a stack needs its visible units and at least one hidden layer, found {len(layers)} layers")
    if train is not None and settings:
        raise ValueError(f"with train= the settings of each layer are its own, found {', '.join(settings)} too")
    if not isinstance(data, Tensor | np.ndarray | Source) and iter(data) is data:
        raise ValueError("a stack walks its data once a layer, and an iterator can be walked once: give an iterable that begins anew")
    rbms: list[RBM] = []
    source: Any = data
    for index, hidden in enumerate(layers[1:]):
        visible = layers[0] if index == 0 else layers[index].taking_means()
        rbm = RBM(visible, hidden, seed=derive(seed, index))
        if train is not None:
            train(rbm, source, index)
        else:
            path = None if checkpoints is None else Path(checkpoints) / f"layer-{index + 1}.safetensors"
            fit(rbm, source, seed=derive(seed, index), checkpoint=path, **settings)
        rbms.append(rbm)
        if index < len(layers) - 2:
            source = features(rbm, source)
            if settings.get("validation") is not None:
                settings["validation"] = features(rbm, settings["validation"])
    return DBN(rbms)


class _StreamOfFeatures:
    """Each batch's hidden means, computed as the batches pass; weights go along."""

    def __init__(self, rbm: RBM, batches: Iterable[Any]) -> None:
        self.rbm, self.batches = rbm, batches

    def __iter__(self) -> Iterator[Any]:
        for item in self.batches:
            rows, *weights = item if isinstance(item, tuple | list) else (item,)
            means = features(self.rbm, torch.as_tensor(rows))
            yield (means, *weights) if weights else means


@torch.no_grad()
def features(rbm: RBM, data: Data) -> Tensor | Source | Iterable[Any]:
    """The means of the hidden units, the next machine's data.

    Of an array, a tensor (cases, *hidden.shape) computed a block at a time; of a source that may draw each visit anew, a source; of an
    iterable of batches, an iterable of batches.
    """
    like = next(rbm.parameters()).detach()
    if not isinstance(data, Tensor | np.ndarray | Source):
        return _StreamOfFeatures(rbm, data)
    rows = as_rows(rbm, data, like)
    if not isinstance(rows, ArrayRows):
        return MappedRows(rows, rbm.hidden_mean)
    means = torch.empty(len(rows), *rbm.hidden.shape, dtype=like.dtype, device=like.device)
    for block in torch.split(torch.arange(len(rows)), BLOCK):
        means[block[0] : block[-1] + 1] = rbm.hidden_mean(rows.rows(block, torch.Generator()))
    return means

"""Training many stacks of RBMs as one, a layer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.couplings.products import Precision, Reduced, reduced_type
from harmonium.data.batches import Source
from harmonium.data.tables import as_data
from harmonium.learning.cases import as_rows
from harmonium.learning.fit import fit
from harmonium.learning.per_layer import check_layers, of_layer
from harmonium.learning.replicas.orders import ReplicaSource, seeds_of
from harmonium.learning.replicas.stacking import Replicas
from harmonium.models import DBN, RBM
from harmonium.seeds import derive
from harmonium.units import Unit
from harmonium.units.as_layer import as_layers
from harmonium.units.groups import check_distinct


def greedy_replicas(
    data: Any,
    layers: Sequence[Unit | int],
    *,
    replicas: int,
    seed: int | Sequence[int] = 0,
    rows: Tensor | None = None,
    checkpoints: Any = None,
    **settings: Any,
) -> list[DBN]:
    """`greedy` of `replicas` stacks, which learn as alone with seeds of their own.

    The features of a layer's cases are computed when they are visited, because those of all replicas would fill the memory.

    Parameters
    ----------
    data, layers, checkpoints
        As for `greedy`.
    replicas : int
        How many stacks.
    seed : int or sequence of int, default 0
        The first stack's seed, or each one's.
    rows : Tensor, optional
        (replicas, cases) bool: the cases that each stack learns from.
    **settings
        Those of `fit`, for each layer.
    """
    units = as_layers(layers)
    if len(units) < 2:
        raise ValueError(f"a stack needs its visible units and at least one hidden layer, found {len(units)} layers")
    check_distinct(*units)
    check_layers(settings, len(units) - 1)
    data = as_data(data)
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError("replicas take data that can be indexed by case number: a tensor, array or Source")
    for name in ("couplings", "labels", "classes", "given", "train"):
        if settings.pop(name, None) is not None:
            raise ValueError(f"hm.greedy of replicas takes no {name}=: learn such stacks one by one")
    seeds, validation = seeds_of(seed, replicas), settings.pop("validation", None)
    learned: list[Replicas[RBM]] = []
    for index, hidden in enumerate(units[1:]):
        visible = units[0] if index == 0 else units[index].as_visible_layer().to(units[index].zero_input())
        many = Replicas([RBM(visible, hidden, seed=derive(own, index)) for own in seeds], rows=rows)
        path = None if checkpoints is None else Path(checkpoints) / f"layer-{index + 1}.safetensors"
        how = of_layer(settings, index)
        precision = how.get("precision", "float32")
        below = features_of(data, learned, precision)
        held = None if validation is None else features_of(validation, learned, precision)
        fit(many, below, seed=[derive(own, index) for own in seeds], checkpoint=path, validation=held, **how)
        learned.append(many)
    return [DBN([layer.take(replica) for layer in learned]) for replica in range(replicas)]


def features_of(data: Any, learned: Sequence[Replicas[RBM]], precision: Precision = "float32") -> Any:
    """The data of the next layer of each replica, by products of this precision."""
    return _Features(data, learned, precision) if learned else data


class _Features(ReplicaSource):
    """The means of the top hidden units of each replica, computed anew at each visit."""

    def __init__(self, data: Any, learned: Sequence[Replicas[RBM]], precision: Precision) -> None:
        like = next(learned[0].parameters()).detach()
        dtype = reduced_type(precision, like)
        self.products: AbstractContextManager[Any] = nullcontext() if dtype is None else Reduced(dtype)
        self.source, self.learned = as_rows(learned[0].pattern.visible, data, like), learned

    def __len__(self) -> int:
        return len(self.source)

    @torch.no_grad()
    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """`indices`: (replicas · cases), replica 0 first."""
        return self.of_all(indices.reshape(len(self.learned[0]), -1), generator).flatten(0, 1)

    @torch.no_grad()
    def rows_of(self, replica: int, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The features of one replica: (cases, size)."""
        v = self.source.rows(indices, generator)
        for many in self.learned:
            rbm = many.take(replica)
            v = rbm.hidden.output(rbm.hidden_mean(v))
        return v

    def of_all(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """`indices`: (replicas, cases). Features (replicas, cases, size)."""
        v = self.source.rows(indices.flatten(), generator)
        v = v.reshape(*indices.shape, *v.shape[1:])
        with self.products:
            for many in self.learned:
                machine: Any = many.stacked
                v = machine.hidden.output(machine.hidden_mean(v))
        return v

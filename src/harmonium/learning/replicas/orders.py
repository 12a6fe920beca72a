"""Mini-batches for replicas, each of which has its own order and its own cases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.data.batches import Batches, Numbered
from harmonium.learning.loop.plan import ORDER
from harmonium.seeds import derive


class ReplicaSource(ABC):
    """A source of rows that differ between replicas."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The rows with these numbers, (replicas · cases), those of replica 0 first."""

    @abstractmethod
    def rows_of(self, replica: int, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The rows of one replica with these numbers, (cases)."""


class ReplicaBatches(Batches):
    """Mini-batches (replicas, cases, ...). The order of replica r is that of training alone with seed number r.

    Parameters
    ----------
    sources : sequence of Numbered
        Sources of one length.
    batch_size : int
        Cases per mini-batch of each replica.
    seeds : sequence of int
        A seed for each replica.
    rows : Tensor, optional
        The numbers of each replica's cases, (replicas, cases); all of them by default.
    """

    def __init__(self, sources: Sequence[Numbered], *, batch_size: int, seeds: Sequence[int], rows: Tensor | None) -> None:
        super().__init__(sources, batch_size=batch_size, seed=seeds[0])
        self.seeds = [derive(seed, ORDER) for seed in seeds]
        if rows is not None and (int(rows.min()) < 0 or int(rows.max()) >= self.cases):
            raise ValueError(f"rows are numbers of cases from 0 to {self.cases - 1}, found {int(rows.min())} to {int(rows.max())}")
        self.own = rows
        self.cases = self.cases if rows is None else rows.shape[1]

    def visit(self, indices: Tensor, generator: torch.Generator) -> tuple[Any, ...]:
        """The values of each source for these cases, (replicas, cases) places in each replica's own cases."""
        numbers = indices if self.own is None else self.own.gather(1, indices)
        found = super().visit(numbers.flatten(), generator)
        return tuple(values.unflatten(0, numbers.shape) for values in found)

    def epoch(self, epoch: int, start: int, generator: torch.Generator) -> Iterator[tuple[Any, ...]]:
        orders = [torch.randperm(self.cases, generator=torch.Generator().manual_seed(derive(seed, epoch))) for seed in self.seeds]
        for batch in torch.split(torch.stack(orders), self.batch_size, dim=1)[start:]:
            yield self.visit(batch, generator)

    def some(self, count: int, generator: torch.Generator) -> tuple[Any, ...]:
        """Up to `count` rows of each source, spread evenly over each replica's cases: (replicas, rows, *shape)."""
        return self.visit(self._spread(count).expand(len(self.seeds), -1), generator)

    def some_of(self, replica: int, count: int, generator: torch.Generator) -> tuple[Any, ...]:
        """The same of one replica: (rows, *shape)."""
        places = self._spread(count)
        numbers = places if self.own is None else self.own[replica, places]
        return tuple(
            source.rows_of(replica, numbers, generator) if isinstance(source, ReplicaSource) else source.rows(numbers, generator)
            for source in self.sources
            if source is not None
        )

    @property
    def differ(self) -> bool:
        """Whether the replicas learn from different cases."""
        return self.own is not None or any(isinstance(source, ReplicaSource) for source in self.sources)

    def _spread(self, count: int) -> Tensor:
        return torch.linspace(0, self.cases - 1, min(count, self.cases), dtype=torch.float64).round().long()


def seeds_of(seed: int | Sequence[int], replicas: int) -> list[int]:
    """A seed for each replica: those given, or `seed`, `seed` + 1, and so on."""
    seeds = [seed + replica for replica in range(replicas)] if isinstance(seed, int) else [int(each) for each in seed]
    if len(seeds) != replicas:
        raise ValueError(f"expected one seed, or one for each of {replicas} replicas, found {len(seeds)}")
    return seeds

"""Data as mini-batches: shuffled rows of arrays, or a user's own stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from harmonium.data.order import Order
from harmonium.data.tables import native
from harmonium.processes import own_part, times_held, world_size
from harmonium.seeds import derive

BLOCK = 2048  # rows processed together, to limit memory
ONCE = "the data is an iterator, which can be read only once: give an iterable that starts again at every epoch"


@runtime_checkable
class Source(Protocol):
    """Rows by number, in the form that the units take. A source may draw each visit anew with the trainer's generator."""

    def __len__(self) -> int: ...

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The rows with these numbers, (len(indices), *shape). `indices` is on the CPU."""


class Numbered(Protocol):
    """Anything that belongs to cases and is retrieved by their numbers: rows, weights, side information."""

    def __len__(self) -> int: ...

    def rows(self, indices: Tensor, generator: torch.Generator) -> Any:
        """The values of these cases. `indices` is on the CPU."""


class ArrayRows:
    """Rows of a tensor, array or memory map, kept in their own type and converted one batch at a time.

    Parameters
    ----------
    data : torch.Tensor or numpy.ndarray
        (cases, ...).
    convert : callable, optional
        Applied to each batch of rows; by default nothing is.
    """

    def __init__(self, data: Tensor | np.ndarray[Any, Any], convert: Callable[[Tensor], Tensor] | None = None) -> None:
        self.data, self.convert = data, convert

    def __len__(self) -> int:
        return len(self.data)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        if isinstance(self.data, Tensor):
            rows = self.data.index_select(0, indices.to(self.data.device, non_blocking=True))
        else:
            rows = torch.from_numpy(native(np.ascontiguousarray(self.data[indices.numpy()])))
        return rows if self.convert is None else self.convert(rows)


class MappedRows:
    """Rows of a source after a function of them and of the trainer's generator, which is computed anew at each visit.

    It serves for results that are too large, or change too often, to keep.
    """

    def __init__(self, source: Source, function: Callable[[Tensor, torch.Generator], Tensor]) -> None:
        self.source, self.function = source, function

    def __len__(self) -> int:
        return len(self.source)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        return self.function(self.source.rows(indices, generator), generator)


class Whole(NamedTuple):
    """A mini-batch of all processes: its number of cases, and their total weight if they have weights.

    If a batch has fewer cases than there are processes, each process has all of them, and a case counts `times` times.
    """

    cases: int
    weight: Tensor | None
    times: int


def whole(cases: int, weights: Tensor | None) -> Whole:
    """The batch of all processes."""
    times = times_held(cases)
    return Whole(cases * times, None if weights is None else weights.sum() * times, times)


class Batches:
    """Mini-batches of several sources side by side (data and weights; inputs and labels), shuffled anew each epoch.

    The order depends on the seed and the epoch alone, so training resumes in the middle of an epoch. The last batch of an epoch may be
    short. Several processes go through the same order, and each visits its part of every batch.

    Parameters
    ----------
    sources : sequence of (Numbered or None)
        Sources of one length. A source that is None gives None.
    batch_size : int
        Cases per mini-batch, those of all processes together.
    seed : int
        The seed of the order.
    weights : Numbered, optional
        The weights of the rows.
    mean_weight : float
        The mean weight of all rows, where they have weights.
    """

    resumes_inside = True

    def __init__(
        self,
        sources: Sequence[Numbered | None],
        *,
        batch_size: int,
        seed: int,
        weights: Numbered | None = None,
        mean_weight: float = 1.0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"a batch needs at least one case, found batch_size={batch_size}")
        lengths = [len(source) for source in sources if source is not None]
        if len(set(lengths)) != 1 or 0 in lengths:
            raise ValueError(f"expected as many rows of each kind, and at least one, found {lengths}")
        self.sources, self.batch_size, self.seed, self.cases = sources, batch_size, seed, lengths[0]
        self.weights, self.mean_weight = weights, mean_weight
        self.whole: Whole | None = None  # of the present batch; None in a single process

    def __len__(self) -> int:
        return -(-self.cases // self.batch_size)

    def visit(self, indices: Tensor, generator: torch.Generator) -> tuple[Any, ...]:
        """The values of each source for these cases."""
        return tuple(None if source is None else source.rows(indices, generator) for source in self.sources)

    def epoch(self, epoch: int, start: int, generator: torch.Generator) -> Iterator[tuple[Any, ...]]:
        """The batches of an epoch, one tuple per batch with an entry per source.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0. It determines the order, with the seed.
        start : int
            Number of the first batch, from 0. It is above 0 if training resumes inside the epoch.
        generator : torch.Generator
            Passed to the sources that draw each visit anew. The order does not depend on it.
        """
        order = Order(self.cases, derive(self.seed, epoch))
        for first in range(start * self.batch_size, self.cases, self.batch_size):
            batch = order.numbers(first, min(first + self.batch_size, self.cases))
            if world_size() > 1:
                self.whole = whole(len(batch), None if self.weights is None else self.weights.rows(batch, generator))
            yield self.visit(own_part(batch), generator)

    def some(self, count: int, generator: torch.Generator) -> tuple[Any, ...]:
        """Up to `count` rows of each source, spread evenly over it: (rows, *shape)."""
        return self.visit(torch.linspace(0, self.cases - 1, min(count, self.cases), dtype=torch.float64).round().long(), generator)


class Converter(Protocol):
    """Converts the items of a stream."""

    @property
    def mean_weight(self) -> float:
        """The mean weight of the rows so far."""

    def __call__(self, item: Any) -> tuple[Tensor, ...] | None:
        """A batch, (states,) or (states, weights), or None where nothing is left to learn from."""

    def state_dict(self) -> dict[str, float]: ...
    def load_state_dict(self, state: dict[str, float]) -> None: ...


class Stream:
    """A user's own iterable of batches, for data that fit in no array.

    The iterable sets batch sizes and order. An iterable with `state_dict` and `load_state_dict` resumes inside an epoch, any other at the
    start of the epoch. Several processes all read the same batches, and each takes its part of every batch.

    Parameters
    ----------
    iterable : iterable
        Each item is a tensor or array (cases, *shape), or a tuple of them (data, weights).
    convert : Converter
        Converts each item to a batch.

    Raises
    ------
    ValueError
        At the second epoch, for an iterator that can be read only once.
    """

    def __init__(self, iterable: Iterable[Any], convert: Converter) -> None:
        self.iterable, self.convert = iterable, convert
        self.once = iter(iterable) is iterable
        self.whole: Whole | None = None  # of the present batch; None in a single process
        self.resumes_inside = hasattr(iterable, "state_dict") and hasattr(iterable, "load_state_dict")

    @property
    def mean_weight(self) -> float:
        """The mean weight of the rows so far."""
        return self.convert.mean_weight

    def __len__(self) -> int:
        try:
            return len(self.iterable)  # type: ignore[arg-type]
        except TypeError:
            return 0

    def epoch(self, epoch: int, start: int, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
        """The batches of an epoch. After a resume the iterable itself continues where it stopped.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        start : int
            Number of the first batch, from 0. It is used only to tell an empty iterable from one that has ended.
        generator : torch.Generator
            Not used: the iterable has its own randomness.

        Raises
        ------
        ValueError
            For an iterable without a batch, and at the second epoch for an iterator that can be read only once.
        """
        if self.once and epoch > 0:
            raise ValueError(ONCE)
        empty = True
        for item in self.iterable:
            empty = False
            batch = self.convert(item)
            if batch is not None:
                if world_size() > 1:
                    self.whole = whole(len(batch[0]), batch[1] if len(batch) > 1 else None)
                yield tuple(own_part(each) for each in batch)
        if empty and start == 0:
            raise ValueError("the data is an iterable that gave no batch")

    def some(self, count: int, generator: torch.Generator) -> tuple[Any, ...]:
        """An empty tuple: a stream is not read ahead of training."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """The position of the iterable, and the sums of the weights so far."""
        place = self.iterable.state_dict() if self.resumes_inside else None  # type: ignore[attr-defined]
        return {"place": place, "converter": self.convert.state_dict()}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restores the position of the iterable."""
        if state is None:
            return
        self.convert.load_state_dict(state["converter"])
        if self.resumes_inside and state["place"] is not None:
            self.iterable.load_state_dict(state["place"])  # type: ignore[attr-defined]

"""Training data of any form, checked and made into mini-batches of (states, weights, what is given of each case)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.batches import BLOCK, ArrayRows, Batches, Numbered, Source, Stream
from harmonium.data.sparse import SparseRows
from harmonium.data.tables import as_data, as_tensor, native
from harmonium.learning.checked import CheckedRows, is_mapped
from harmonium.learning.placing import placed_rows
from harmonium.models.labels import with_labels
from harmonium.sampling.gaps import check_mask, fill, gaps
from harmonium.units import Given, Unit

Rows = Tensor | np.ndarray[Any, Any] | Source
Data = Rows | Iterable[Any]
MASKS = ("present", "missing")
NO_DRAWS = torch.Generator()


class GivenRows:
    """What is given of each case, as rows by number. Masks become booleans.

    Raises ValueError if a field has another number of cases, or if a mask does not fit the visible units.
    """

    def __init__(self, given: Given, visible: Unit, cases: int, like: Tensor) -> None:
        if not isinstance(given, Given):
            raise TypeError(f"given= is an hm.Given, found {type(given).__name__}: leave it out where nothing is given")
        self.held = {kind: getattr(given, kind) for kind in given.kinds}
        self.visible, self.cases, self.like = visible, cases, like
        for name, field in self.held.items():
            mask = name in MASKS
            if not field.ndim or len(field) != cases or (mask and tuple(field.shape[1:]) != visible.shape):
                shape = ", ".join(map(str, (cases, *visible.shape))) if mask else f"{cases}, ..."
                raise ValueError(f"given.{name} must have one row per case and so shape ({shape}), found {tuple(field.shape)}")
            for rows in () if is_mapped(field) else blocks(field):
                self._check(name, rows)

    def __len__(self) -> int:
        return self.cases

    def rows(self, indices: Tensor, generator: torch.Generator = NO_DRAWS) -> Given:
        """Each field's rows of these cases, on the machine's device."""
        found = {name: ArrayRows(field).rows(indices, generator) for name, field in self.held.items()}
        for name, rows in found.items():
            if is_mapped(self.held[name]):
                self._check(name, rows)
        return Given(**{name: rows.to(self.like.device).bool() if name in MASKS else rows.to(self.like) for name, rows in found.items()})

    def _check(self, name: str, rows: Tensor) -> None:
        if name in MASKS:
            check_mask(self.visible, rows, name)
        elif not bool(torch.isfinite(rows).all()):
            raise ValueError(f"given.{name} must be finite numbers, found NaN or infinite values")


def blocks(data: Tensor | np.ndarray[Any, Any]) -> Iterator[Tensor]:
    """The rows, a block at a time.

    Blocks of an array are copies, because PyTorch warns of memory that it must not write to (a read-only map).
    """
    for start in range(0, len(data), BLOCK):
        rows = data[start : start + BLOCK]
        yield rows if isinstance(rows, Tensor) else torch.from_numpy(native(np.array(rows)))


def as_rows(visible: Unit, data: Rows, like: Tensor, given: GivenRows | None = None, kept: Tensor | None = None) -> Source:
    """Data as a source of rows of these units.

    Arrays in memory are checked in full against the units' support, except for gaps. The rows of memory maps, sparse matrices and sources
    are checked when they are visited.

    Parameters
    ----------
    visible : Unit
        The units that the rows are states of.
    data : Tensor, array, sparse matrix or Source
        (cases, *visible.shape).
    like : Tensor
        A tensor of the type and device of the rows.
    given : GivenRows, optional
        What is given of each case: values at gaps are not read.
    kept : Tensor, optional
        The numbers of the rows that are checked, if others are never visited.

    Raises
    ------
    ValueError
        For data of another shape or form, without a case, or outside the support.
    """
    data = as_data(data)

    def filled(rows: Tensor, indices: Tensor) -> Tensor:
        return fill(visible, rows, None if given is None else gaps(given.rows(indices)))

    def states(rows: Tensor) -> Tensor:
        return visible.from_data(rows, like)

    if isinstance(data, SparseRows):
        check_cases(visible, data)
        return CheckedRows(data, visible, states, filled)
    if not isinstance(data, Tensor | np.ndarray):
        if not isinstance(data, Source):
            raise ValueError(f"expected data as a tensor, array or Source, found {type(data).__name__}")
        return CheckedRows(data, visible, lambda rows: rows.to(device=like.device, dtype=like.dtype), filled)
    check_cases(visible, data)
    if is_mapped(data):
        return CheckedRows(ArrayRows(data), visible, states, filled)
    numbers = torch.split(torch.arange(len(data)) if kept is None else kept, BLOCK)
    found = blocks(data) if kept is None else (ArrayRows(data).rows(here, NO_DRAWS) for here in numbers)
    for here, rows in zip(numbers, found, strict=True):
        visible.check(filled(rows, here))
    return placed_rows(data, like.device, states)


def check_cases(visible: Unit, data: Tensor | np.ndarray[Any, Any] | SparseRows) -> None:
    """Raise a ValueError unless these have the axes of cases of the layer, and there is at least one."""
    if data.ndim != len(visible.shape) + 1 or len(data) == 0:
        expected = ", ".join(map(str, visible.shape))
        raise ValueError(f"expected data of shape (cases, {expected}), at least one case, found {tuple(data.shape)}")


class LabelledRows:
    """A source's rows beside one-hot labels: (cases, size + classes). `labels`: (cases,) integers."""

    def __init__(self, source: Source, labels: Tensor, classes: int) -> None:
        self.source, self.labels, self.classes = source, labels, classes

    def __len__(self) -> int:
        return len(self.source)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        return with_labels(self.source.rows(indices, generator), self.labels[indices.to(self.labels.device)], self.classes)


def as_weights(weights: Any, cases: int, like: Tensor) -> Tensor:
    """One weight per case, (cases,). Raises a ValueError that says what is wrong with them."""
    found = as_tensor(weights).detach().to(like)
    if found.shape != (cases,) or not bool((torch.isfinite(found) & (found >= 0)).all()):
        spread = f" and values from {found.min().item():g} to {found.max().item():g}" if found.numel() else ""
        raise ValueError(
            f"sample_weight must be {cases} finite non-negative numbers, one per case, found shape {tuple(found.shape)}{spread}"
        )
    return found


class CaseWeights(NamedTuple):
    """The weights of all cases, (cases,); the numbers of the cases that have one, where others have none; the mean weight of these."""

    each: Tensor
    kept: Tensor | None
    mean: float


def case_weights(sample_weight: Any, cases: int, like: Tensor) -> CaseWeights | None:
    """The weights of cases, or None where none are given. Raises a ValueError as `as_weights`, and where each weight is zero."""
    if sample_weight is None:
        return None
    each = as_weights(sample_weight, cases, like)
    kept = None if bool((each > 0).all()) else each.nonzero().squeeze(1).cpu()
    if cases and kept is not None and not len(kept):
        raise ValueError(f"sample_weight gives each of the {cases} cases a weight of zero: there is nothing to learn from")
    return CaseWeights(each, kept, float(each.double().sum()) / len(each if kept is None else kept))


class Chosen:
    """Only those rows whose numbers are in `kept`, (count,)."""

    def __init__(self, rows: Numbered, kept: Tensor) -> None:
        self.held, self.kept = rows, kept

    def __len__(self) -> int:
        return len(self.kept)

    def rows(self, indices: Tensor, generator: torch.Generator) -> Any:
        return self.held.rows(self.kept[indices], generator)


def as_batches(
    visible: Unit, data: Data, sample_weight: Any, given: Given, *, batch_size: int, seed: int, like: Tensor
) -> Batches | Stream:
    """Data of any form as mini-batches (states, weights or None, given).

    Parameters
    ----------
    visible : Unit
        The units that the data are states of.
    data : Tensor, array, sparse matrix, Source or iterable of batches
        The cases.
    sample_weight : sequence of float or None
        The weight of each case. Rows of weight zero are left out, whatever they hold.
    given : Given
        What is given of each case.
    batch_size : int
        Cases per mini-batch; an iterable sets its own.
    seed : int
        The seed of the order.
    like : Tensor
        A tensor of the type and device of the states.

    Raises
    ------
    ValueError
        For data that the units cannot take, and for weights or side information that do not fit them.
    """
    data = as_data(data)
    if isinstance(data, Tensor | np.ndarray | Source):
        cases = 0 if isinstance(data, Tensor | np.ndarray) and not data.ndim else len(data)
        weights = case_weights(sample_weight, cases, like)
        kept = None if weights is None else weights.kept
        beside = GivenRows(given, visible, cases, like)
        rows = as_rows(visible, data, like, beside, kept)
        shares: Numbered | None = None if weights is None else ArrayRows(weights.each)
        sources: list[Numbered | None] = [rows, shares, beside]
        mean = 1.0 if weights is None else weights.mean
        if kept is not None:
            sources = [None if source is None else Chosen(source, kept) for source in sources]
        return Batches(sources, batch_size=batch_size, seed=seed, weights=sources[1], mean_weight=mean)
    if isinstance(data, str | bytes | os.PathLike) or not isinstance(data, Iterable):
        raise ValueError(f"expected data as a tensor, array, Source or iterable of batches, found {type(data).__name__}")
    if sample_weight is not None:
        raise ValueError("sample_weight takes no iterable of batches: let it yield (data, weights) pairs")
    if given:
        raise ValueError("what is given of each case needs data that can be indexed by case number: a tensor, array or Source")
    return Stream(data, OfStream(visible, like))


class OfStream:
    """What a user's iterable gives, as states and weights; their mean is that of the rows so far."""

    def __init__(self, visible: Unit, like: Tensor) -> None:
        self.visible, self.like = visible, like
        self.rows, self.weight = 0, 0.0

    def __call__(self, item: Any) -> tuple[Tensor, ...] | None:
        """(states,) or (states, weights); None of a batch in which no row has a weight."""
        pieces = item if isinstance(item, tuple | list) else (item,)
        held = as_data(pieces[0])
        data = held.rows(torch.arange(len(held)), NO_DRAWS) if isinstance(held, SparseRows) else as_tensor(held)
        check_cases(self.visible, data)
        if len(pieces) == 1:
            return (self._states(data),)
        if not torch.as_tensor(pieces[1]).is_floating_point():
            raise ValueError(
                "the iterable gives (data, integers) pairs: the second of a pair is each case's weight, a floating-point number; "
                "leave labels out"
            )
        weights = as_weights(pieces[1], len(data), self.like)
        kept = weights > 0
        if not bool(kept.any()):
            return None
        if not bool(kept.all()):
            data, weights = data[kept.to(data.device)], weights[kept]
        self.rows, self.weight = self.rows + len(weights), self.weight + weights.double().sum().item()
        return self._states(data), weights

    @property
    def mean_weight(self) -> float:
        return self.weight / self.rows if self.rows else 1.0

    def _states(self, data: Tensor) -> Tensor:
        return as_rows(self.visible, data, self.like).rows(torch.arange(len(data)), NO_DRAWS)

    def state_dict(self) -> dict[str, float]:
        return {"rows": self.rows, "weight": self.weight}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.rows, self.weight = int(state["rows"]), state["weight"]


@torch.no_grad()
def for_base_rates(visible: Unit, rows: Tensor, weights: Tensor | None, given: Given) -> Tensor:
    """Rows whose gaps are filled with seen values of the same unit from other cases, each value as often, by weight, as it was seen.

    So means and variances are those of the seen values. A unit that was never seen gets its mean.
    """
    where = gaps(given)
    if where is None:
        return rows
    share = (rows.new_ones(len(rows)) if weights is None else weights).double().reshape(-1, *[1] * (rows.dim() - 1))
    seen, unseen = torch.where(where, 0.0, share), torch.where(where, share, 0.0)
    reached, total = seen.cumsum(0), seen.sum(0)
    place = (unseen.cumsum(0) - unseen / 2) / unseen.sum(0).clamp_min(1e-300) * total  # in the order of the donors' weights
    last = reached.movedim(0, -1).contiguous(), place.clamp_max(total * (1 - 1e-9)).movedim(0, -1).contiguous()
    donor = torch.searchsorted(*last, right=True).clamp_max(len(rows) - 1).movedim(-1, 0)
    word = Given(length=rows.new_ones(()))
    found = torch.where(total > 0, rows.gather(0, donor), visible.mean(visible.zero_input(), word))
    return torch.where(where, found, rows)

"""Real-valued cases with gaps, visited in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.data.tables import as_tensor
from harmonium.units import Given

NUMBERS = 2**20  # float64 numbers of the largest tensor of a block: 8 MiB


class Cases(NamedTuple):
    """Cases, and which of their values were seen.

    `v`: (cases, visible). `seen`: (cases, visible) bool, or None if all were.
    """

    v: Tensor
    seen: Tensor | None

    def blocks(self, numbers: int, like: Tensor) -> Iterator[Cases]:
        """The cases in order as float64 on the device of `like`, a few at a time. Missing values become zero.

        `numbers`: how many numbers the largest tensor holds per case.
        """
        size = max(1, NUMBERS // max(1, numbers))
        for start in range(0, len(self.v), size):
            v = self.v[start : start + size].to(like.device, torch.float64)
            seen = None if self.seen is None else self.seen[start : start + size].to(like.device)
            yield Cases(v if seen is None else torch.where(seen, v, 0.0), seen)

    def weights(self) -> Tensor:
        """One where a value was seen and zero elsewhere, (cases, visible); or a one that broadcasts to it."""
        return self.v.new_ones(1, 1) if self.seen is None else self.seen.to(self.v.dtype)

    def moments(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the seen values of each unit: (visible,) float64, on the device of `like`."""
        mean = self._average(lambda block: block.v, like)
        return mean, self._average(lambda block: ((block.v - mean) * block.weights()).square(), like)

    def _average(self, of: Callable[[Cases], Tensor], like: Tensor) -> Tensor:
        """Of what is zero where a value is missing, over the cases that saw each unit: (visible,)."""
        total = torch.zeros(self.v.shape[1], dtype=torch.float64, device=like.device)
        count = torch.zeros_like(total)
        for block in self.blocks(self.v.shape[1], like):
            total += of(block).sum(0)
            count += block.weights().expand_as(block.v).sum(0)
        return total / count


def as_cases(data: Any, visible: int, given: Given) -> Cases:
    """Data of any form as cases. Raises a ValueError for another shape, for masks that do not fit, and for gaps that no mask marks."""
    v = as_tensor(data)
    if v.dim() != 2 or v.shape[1] != visible or not len(v):
        raise ValueError(f"expected rows of shape (cases, {visible}), at least one, found {tuple(v.shape)}")
    if others := [kind for kind in given.kinds if kind != "missing"]:
        raise ValueError(
            f"a mixture of factor analysers takes given=Given(missing=...) alone, found {', '.join(others)}: its units always exist, and "
            "values that were not seen are missing"
        )
    seen = None if given.missing is None else ~_mask(given.missing, v)
    odd = ~torch.isfinite(v) if v.is_floating_point() else torch.zeros((), dtype=torch.bool)
    if bad := int((odd if seen is None else odd & seen).sum()):
        raise ValueError(
            f"expected finite numbers, found {bad} NaN or infinite value{'s' * (bad > 1)}: mark values that are missing with "
            "given=Given(missing=v.isnan())"
        )
    return Cases(v, seen)


def _mask(missing: Tensor, v: Tensor) -> Tensor:
    """The mask as booleans, (cases, visible). Raises a ValueError if it does not fit."""
    if missing.shape not in (v.shape, v.shape[1:], (1, *v.shape[1:])):
        raise ValueError(f"the mask missing must have the shape of the data, {tuple(v.shape)}, found {tuple(missing.shape)}")
    if missing.dtype != torch.bool and not bool(((missing == 0) | (missing == 1)).all()):
        raise ValueError("the mask missing must hold booleans, or ones and zeros, found other values")
    return missing.bool().to(v.device).expand(v.shape)

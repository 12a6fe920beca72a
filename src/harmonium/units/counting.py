"""Units whose states are counts."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given
from harmonium.units.sums import tally
from harmonium.units.unit import Unit

Values = Literal["counts", "means"]


class Counting(Biased):
    """Units whose states are whole numbers k >= 0: energy -b·k + `base(k)`, natural parameter t = b + x.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    copies : int or None
        The highest state; None where the states are unbounded.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases.
    values : {"counts", "means"}
        What the data are: whole numbers, or conditional means.
    """

    def __init__(
        self, shape: int | Sequence[int], *, copies: int | None, bias_shape: Sequence[int] | None = None, values: Values = "counts"
    ) -> None:
        super().__init__(shape, bias_shape=bias_shape)
        if values not in ("counts", "means"):
            raise ValueError(f'values must be "counts" or "means", found {values!r}')
        if copies is not None and (not isinstance(copies, int) or copies < 1):
            raise ValueError(f"{type(self).__name__} units are made of one or more copies, a whole number, found {copies!r}")
        self.copies = copies
        self.values: Values = values

    @abstractmethod
    def base(self, states: Tensor) -> Tensor:
        """The energy of each count without a bias, minus the log of its base measure: (*leading, *shape)."""

    @abstractmethod
    def natural(self, mean: Tensor) -> Tensor:
        """The natural parameter t of each mean inside the support: float64."""

    def energy_terms(self, states: Tensor) -> Tensor:
        return self.base(states) - states * self.bias

    def check(self, states: Tensor) -> None:
        self._check(states, self.values)

    def check_states(self, states: Tensor) -> None:
        self._check(states, "counts")

    def _check(self, states: Tensor, values: Values) -> None:
        name = type(self).__name__
        check_shape(name, states, self.shape)
        check_finite(name, states)
        bounds = "0 or more" if self.copies is None else f"from 0 to {self.copies}"
        expected = f"{name} units expect {'whole numbers' if values == 'counts' else 'means'}, {bounds}"
        low, high = states.min().item(), states.max().item()
        if low < 0 or (self.copies is not None and high > self.copies):
            raise ValueError(
                f"{expected}, found values from {low:g} to {high:g}; shift or scale the data into that range, "
                "or model real numbers with Gaussian units"
            )
        if values == "counts" and states.is_floating_point() and bool((states != states.floor()).any()):
            between = states[states != states.floor()].flatten()[0].item()
            raise ValueError(f'{expected}, found {between:g}; {name}(..., values="means") takes conditional means')

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets the bias for which the mean is that of the data.

        Laplace's rule keeps it finite where there is a highest state; half a count more (Jeffreys's rule) where there is none.
        """
        counts, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        counts = counts.double()
        mean = (counts + 0.5) / cases if self.copies is None else self.copies * (counts + 1) / (self.copies * cases + 2)
        self.bias.copy_(self.natural(mean))

    @torch.no_grad()
    def base_input(self, mean: Tensor) -> Tensor:
        inside = mean.double().clamp(1e-3, None if self.copies is None else self.copies - 1e-3)
        return self.natural(inside).to(mean.dtype) - self.bias

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        if self.copies is None:
            return torch.where((weights > 0).any(0), math.inf, 0.0)
        return self.copies * weights.clamp_min(0).sum(0)

    @property
    def count(self) -> float:
        if self.copies is None:
            return math.inf
        count: int = (self.copies + 1) ** torch.Size(self.shape).numel()  # an exact integer: a float would overflow
        return count

    def states(self, numbers: Tensor) -> Tensor:
        if self.copies is None:
            return super().states(numbers)
        powers = (self.copies + 1) ** torch.arange(torch.Size(self.shape).numel(), device=numbers.device)
        return (numbers[:, None] // powers % (self.copies + 1)).to(self.bias.dtype).reshape(-1, *self.shape)

    def as_visible_layer(self) -> Unit:
        return type(self)(**{**self.arguments(), "values": "means"})  # type: ignore[arg-type]

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "copies": self.copies, "bias_shape": self.bias_shape, "values": self.values}


BLOCK = 2**15
"""Number of units that a long list of small operations processes at a time on a CPU, so that they stay in its cache."""


def in_blocks(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Applies an elementwise function of tensors of one shape, block by block on a CPU."""
    if tensors[0].device.type != "cpu" or tensors[0].numel() <= BLOCK:
        return function(*tensors)
    blocks = zip(*(torch.split(tensor.reshape(-1), BLOCK) for tensor in tensors), strict=True)
    return torch.cat([function(*block) for block in blocks]).reshape(tensors[0].shape)


def invert_series(u: Tensor, first: Tensor, ratio: Tensor, coefficients: Iterable[float]) -> Tensor:
    """The counts at which the cumulative distribution of the probabilities first · c_k · ratio^k passes u, with c_0 = 1.

    Parameters
    ----------
    u, first, ratio : torch.Tensor
        All of one shape.
    coefficients : iterable of float
        c_1 to c_n, where n is the highest count.

    Returns
    -------
    torch.Tensor
        The counts, of the shape of `u`.
    """
    count, above, power, cumulative = torch.zeros_like(u), torch.empty_like(u), first.clone(), first.clone()
    for coefficient in coefficients:
        count.add_(torch.ge(u, cumulative, out=above))
        cumulative.add_(power.mul_(ratio), alpha=coefficient)
    return count

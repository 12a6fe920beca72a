"""Positive real units with an exponential tail."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally, weighted_sum
from harmonium.units.unit import Unit


class Exponential(Unit):
    """Real units x >= 0 with an exponential distribution.

    Given the input t, x is exponential with rate r - t, r = exp(`log_rate`). The conditional exists only for t < r. Where it does not,
    log-partition, mean, variance, mode and samples are infinite.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    rate : float
        r at first, the same for all units; positive.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share rates. By default each unit has its own rate.

    Raises
    ------
    ValueError
        For a rate that is not a positive number.

    Notes
    -----
    The energy is r·x for x >= 0 (Welling, Rosen-Zvi & Hinton 2005).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Exponential(3, rate=2.0)
    >>> units.mean(torch.tensor([-2.0, 0.0, 1.0])).detach()
    tensor([0.2500, 0.5000, 1.0000])
    >>> units.mean(torch.full((3,), 2.5)).detach()  # the inputs reach the rate
    tensor([inf, inf, inf])
    """

    def __init__(self, shape: int | Sequence[int], *, rate: float = 1.0, bias_shape: Sequence[int] | None = None) -> None:
        super().__init__(shape)
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"an exponential unit's rate must be a positive number, found {rate!r}")
        self.rate_at_start = rate
        self.bias_shape = self.shape if bias_shape is None else tuple(bias_shape)
        self.log_rate = nn.Parameter(torch.full(self.bias_shape, math.log(rate)))

    def energy_terms(self, states: Tensor) -> Tensor:
        return states * torch.exp(self.log_rate)

    def _rate(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Whether the conditional exists, and its rate; the rate is one where it does not: (*leading, *shape) each."""
        rate = torch.exp(self.log_rate) - input
        exists = ~(rate <= 0)
        return exists, torch.where(exists, rate, torch.ones((), dtype=rate.dtype, device=rate.device))

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """Σ -log(r - x)."""
        exists, rate = self._rate(input)
        return self.total(keep_present(torch.where(exists, -torch.log(rate), math.inf), given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        exists, rate = self._rate(input)
        return keep_present(torch.where(exists, 1 / rate, math.inf), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.mean(input, given).square()

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        exists, rate = self._rate(input)
        return keep_present(torch.where(exists, torch.zeros_like(rate), math.inf), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution at one uniform number per unit."""
        u = torch.rand(input.shape, generator=generator, dtype=input.dtype, device=input.device)
        scale = self.mean(input) if mean is None else mean
        drawn = u.neg_().log1p_().neg_()
        return keep_present(torch.where(torch.isinf(scale), scale, drawn * scale), given)

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
    ) -> dict[str, Tensor]:
        return {"log_rate": weighted_sum(keep_present(states, given), weights, self.log_rate) * torch.exp(self.log_rate)}

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        mean = self.mean(input, given) if mean is None else mean
        return {"log_rate": weighted_sum(mean, weights, self.log_rate) * torch.exp(self.log_rate)}

    def check(self, states: Tensor) -> None:
        check_shape("Exponential", states, self.shape)
        check_finite("Exponential", states)
        low = states.min().item()
        if low < 0:
            raise ValueError(f"Exponential units expect numbers of zero or more, found {low:g}; shift the data, or use Gaussian units")

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets r = 1 / the mean of the data; a mean counts as no less than a ten-thousandth of the average mean."""
        total, cases = tally(data.to(self.log_rate.dtype), weights, self.log_rate)
        mean = total / cases
        self.log_rate.copy_(-mean.clamp_min(max(1e-4 * mean.mean().item(), torch.finfo(mean.dtype).tiny)).log())

    def base_input(self, mean: Tensor) -> Tensor:
        return torch.exp(self.log_rate.detach()) - 1 / mean.clamp_min(1e-3)

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return torch.where((weights > 0).any(0), math.inf, 0.0)

    def input_bound(self) -> Tensor | None:
        return torch.exp(self.log_rate.detach().double()).expand(self.shape).flatten()

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "rate": self.rate_at_start, "bias_shape": self.bias_shape}

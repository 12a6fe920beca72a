"""Positive real units with an exponential tail."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units.given import Given, keep_present
from harmonium.units.unit import Unit, check_finite, check_shape, tally, weighted_sum


class Exponential(Unit):
    """Real units x >= 0: energy r·x, r = exp(log_rate), so that x given the input t is exponential with rate r - t (Welling,
    Rosen-Zvi & Hinton 2005).

    It exists only for t < r: where it does not, log-partition, mean, variance, mode and samples are infinite. `rate`: r, the same for
    all at first. `bias_shape`: a shape that broadcasts to the layer's, where rates are shared.
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
        """Whether the conditional exists, and its rate, one where it does not: (*leading, *shape) each."""
        rate = torch.exp(self.log_rate) - input
        exists = ~(rate <= 0)
        return exists, torch.where(exists, rate, torch.ones((), dtype=rate.dtype, device=rate.device))

    def log_partition(self, input: Tensor, given: Given | None = None) -> Tensor:
        """Σ -log(r - x)."""
        exists, rate = self._rate(input)
        return self.total(keep_present(torch.where(exists, -torch.log(rate), math.inf), given))

    def mean(self, input: Tensor, given: Given | None = None) -> Tensor:
        exists, rate = self._rate(input)
        return keep_present(torch.where(exists, 1 / rate, math.inf), given)

    def variance(self, input: Tensor, given: Given | None = None) -> Tensor:
        return self.mean(input, given).square()

    def mode(self, input: Tensor, given: Given | None = None) -> Tensor:
        exists, rate = self._rate(input)
        return keep_present(torch.where(exists, torch.zeros_like(rate), math.inf), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given | None = None, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution at a uniform number."""
        u = torch.rand(input.shape, generator=generator, dtype=input.dtype, device=input.device)
        scale = self.mean(input) if mean is None else mean
        drawn = u.neg_().log1p_().neg_()
        return keep_present(torch.where(torch.isinf(scale), scale, drawn * scale), given)

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given | None = None
    ) -> dict[str, Tensor]:
        return {"log_rate": weighted_sum(keep_present(states, given), weights, self.log_rate) * torch.exp(self.log_rate)}

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given | None = None, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        mean = self.mean(input, given) if mean is None else mean
        return {"log_rate": weighted_sum(mean, weights, self.log_rate) * torch.exp(self.log_rate)}

    def check(self, states: Tensor) -> None:
        check_shape("Exponential", states, self.shape)
        check_finite("Exponential", states)
        low = states.min().item()
        if low < 0:
            raise ValueError(f"Exponential units expect numbers from 0 on, found {low:g}; shift the data, or model it with Gaussian units")

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """r = 1 / the mean of the data, but no unit's mean is taken to be below a ten-thousandth of the average."""
        total, cases = tally(data.to(self.log_rate.dtype), weights, self.log_rate)
        mean = total / cases
        self.log_rate.copy_(-mean.clamp_min(max(1e-4 * mean.mean().item(), torch.finfo(mean.dtype).tiny)).log())

    def base_input(self, mean: Tensor) -> Tensor:
        return torch.exp(self.log_rate.detach()) - 1 / mean.clamp_min(1e-3)

    def max_interaction(self, weights: Tensor, given: Given | None = None) -> Tensor:
        return torch.where((weights > 0).any(0), math.inf, 0.0)

    def input_bound(self) -> Tensor | None:
        return torch.exp(self.log_rate.detach().double()).expand(self.shape).flatten()

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "rate": self.rate_at_start, "bias_shape": self.bias_shape}

"""Real-valued units."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units.given import Given, keep_present
from harmonium.units.unit import Unit, check_finite, check_shape, tally, weighted_sum


class Gaussian(Unit):
    """Linear units with Gaussian noise: energy (v - b)² / 2σ², statistic v / σ², so that v given x is N(b + x, σ²).

    This is the parametrisation of Cho, Ilin & Raiko (2011), in which the mean does not depend on σ. The tutorial's interaction
    Σ (v/σ) W h becomes this one with weights σ W. `variance`: σ², the same for all at first.
    `bias_shape` and `variance_shape` broadcast to the shape where biases or variances are shared. With `learn_variance` the
    `log_variance` is a parameter; its gradient is exact, but how to step along it safely is the optimiser's business.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        variance: float = 1.0,
        bias_shape: Sequence[int] | None = None,
        variance_shape: Sequence[int] | None = None,
        learn_variance: bool = False,
    ) -> None:
        super().__init__(shape)
        if not (math.isfinite(variance) and variance > 0):
            raise ValueError(f"a Gaussian unit's variance must be a positive number, found {variance!r}")
        self.variance_at_start, self.learn_variance = variance, learn_variance
        self.bias_shape = self.shape if bias_shape is None else tuple(bias_shape)
        self.variance_shape = self.shape if variance_shape is None else tuple(variance_shape)
        self.bias = nn.Parameter(torch.zeros(self.bias_shape))
        self.log_variance: Tensor
        log_variance = torch.full(self.variance_shape, math.log(variance))
        if learn_variance:
            self.log_variance = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance)

    @property
    def statistic_is_learnt(self) -> bool:  # type: ignore[override]
        return self.learn_variance

    def statistic(self, states: Tensor, given: Given | None = None) -> Tensor:
        return keep_present(states * torch.exp(-self.log_variance), given)

    def energy_terms(self, states: Tensor) -> Tensor:
        return 0.5 * (states - self.bias).square() * torch.exp(-self.log_variance)

    def log_partition(self, input: Tensor, given: Given | None = None) -> Tensor:
        """Σ ½ log 2πσ² + (b x + x²/2) / σ²."""
        terms = input * (self.bias + 0.5 * input) * torch.exp(-self.log_variance)
        return self.total(keep_present(terms + 0.5 * (math.log(2 * math.pi) + self.log_variance), given))

    def mean(self, input: Tensor, given: Given | None = None) -> Tensor:
        return keep_present(input + self.bias, given)

    def variance(self, input: Tensor, given: Given | None = None) -> Tensor:
        return keep_present(torch.exp(self.log_variance).expand_as(input), given)

    def mode(self, input: Tensor, given: Given | None = None) -> Tensor:
        return self.mean(input, given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given | None = None, mean: Tensor | None = None) -> Tensor:
        noise = torch.randn(input.shape, generator=generator, dtype=input.dtype, device=input.device)
        return keep_present(noise.mul_(torch.exp(0.5 * self.log_variance)).add_(input).add_(self.bias), given)

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given | None = None
    ) -> dict[str, Tensor]:
        precision, deviation = torch.exp(-self.log_variance), states - self.bias
        gradient = {"bias": -weighted_sum(keep_present(deviation * precision, given), weights, self.bias)}
        if self.learn_variance:
            if input is None:
                raise ValueError("a Gaussian layer that learns its variance needs the input as well as the states")
            terms = (states * input - 0.5 * deviation.square()) * precision
            gradient["log_variance"] = weighted_sum(keep_present(terms, given), weights, self.log_variance)
        return gradient

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given | None = None, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        precision = torch.exp(-self.log_variance)
        gradient = {"bias": -weighted_sum(keep_present(input * precision, given), weights, self.bias)}
        if self.learn_variance:
            terms = input * (self.bias + 0.5 * input) * precision - 0.5
            gradient["log_variance"] = weighted_sum(keep_present(terms, given), weights, self.log_variance)
        return gradient

    def check(self, states: Tensor) -> None:
        check_shape("Gaussian", states, self.shape)
        check_finite("Gaussian", states)

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """b = the mean of the data; a learnt variance starts at the data's own, but no unit's below a ten-thousandth of the average,
        since a unit that never changes has none."""
        rows = data.to(self.bias.dtype)
        total, cases = tally(rows, weights, self.bias)
        self.bias.copy_(total / cases)
        if self.learn_variance:
            total, cases = tally((rows - self.bias).square(), weights, self.log_variance)
            variance = total / cases
            self.log_variance.copy_(variance.clamp_min(max(1e-4 * variance.mean().item(), torch.finfo(variance.dtype).tiny)).log())

    def base_input(self, mean: Tensor) -> Tensor:
        return mean - self.bias.detach()

    def highest(self, weights: Tensor, given: Given | None = None) -> Tensor:
        return torch.where((weights != 0).any(0), math.inf, 0.0)

    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        scale = (0.5 * self.log_variance.detach().double()).exp().expand(self.shape).flatten()
        return scale, torch.zeros_like(scale, dtype=torch.bool)

    def arguments(self) -> dict[str, object]:
        return {
            "shape": self.shape,
            "variance": self.variance_at_start,
            "bias_shape": self.bias_shape,
            "variance_shape": self.variance_shape,
            "learn_variance": self.learn_variance,
        }

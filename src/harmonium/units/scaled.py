"""What units of a quadratic energy have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units.given import Given, keep_present
from harmonium.units.unit import Unit, tally, weighted_sum

RANGE = math.log(1e3)  # how far learning may take a variance from where the data put it, in nats


class Scaled(Unit):
    """Units whose states have a unit of measurement: energy (x - b)² / 2σ², statistic x / σ².

    `variance`: σ², the same for all at first. `bias_shape` and `variance_shape` broadcast to the shape where biases or variances are
    shared. With `learn_variance` the `log_variance` is a parameter, else a buffer.
    """

    one_sided: bool
    """Whether the states are x >= 0 alone."""

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
            raise ValueError(f"the variance of {type(self).__name__} units must be a positive number, found {variance!r}")
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

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given | None = None
    ) -> dict[str, Tensor]:
        precision, deviation = torch.exp(-self.log_variance), states - self.bias
        gradient = {"bias": -weighted_sum(keep_present(deviation * precision, given), weights, self.bias)}
        if self.learn_variance:
            if input is None:
                raise ValueError(f"a {type(self).__name__} layer that learns its variance needs the input as well as the states")
            terms = (states * input - 0.5 * deviation.square()) * precision
            gradient["log_variance"] = weighted_sum(keep_present(terms, given), weights, self.log_variance)
        return gradient

    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        scale = (0.5 * self.log_variance.detach().double()).exp().expand(self.shape).flatten()
        return scale, torch.full_like(scale, self.one_sided, dtype=torch.bool)

    def arguments(self) -> dict[str, object]:
        return {
            "shape": self.shape,
            "variance": self.variance_at_start,
            "bias_shape": self.bias_shape,
            "variance_shape": self.variance_shape,
            "learn_variance": self.learn_variance,
        }

    # Learning in standard form (docs/gaussian-variances.md) -----------------------------------------------------------------------

    @torch.no_grad()
    def standard(self) -> tuple[Tensor, Tensor] | None:
        origin = torch.zeros_like(self.bias) if self.one_sided else self.bias.detach().clone()
        return origin.expand(self.shape), torch.exp(0.5 * self.log_variance.detach()).expand(self.shape)

    @torch.no_grad()
    def standardise_gradient(self) -> None:
        """∂/∂b times σ², its natural gradient; ∂/∂ log σ² as the average of the units that share it."""
        if self.bias.grad is not None:
            precision = torch.exp(-self.log_variance).expand(self.shape)
            self.bias.grad.div_(precision if self.bias_shape == self.shape else precision.sum_to_size(self.bias_shape))
        if self.log_variance.grad is not None:
            sharing = math.prod(self.shape) / self.log_variance.numel()
            self.log_variance.grad.div_(sharing)

    @torch.no_grad()
    def bounds(self, data: Tensor | None) -> dict[str, tuple[Tensor, Tensor]]:
        """A learnt variance stays within a factor of 1,000 of the data's own or, of a layer without data, of the one it was made with."""
        if not self.learn_variance:
            return {}
        middle = torch.full_like(self.log_variance, math.log(self.variance_at_start))
        if data is not None:
            middle = self.data_variance(data).log()
        return {"log_variance": (middle - RANGE, middle + RANGE)}

    def data_variance(self, data: Tensor, weights: Tensor | None = None) -> Tensor:
        """The variance of data (cases, *shape), with `weights` (cases,), about its mean: (*variance_shape), always positive.

        Means are taken over the units that share a bias, variances over those that share one. A unit that never changes has none, and one
        that hardly ever does next to none: no variance is less than a ten-thousandth of the others' geometric mean, which, unlike their
        average, a few units of large scale do not rule.
        """
        rows = data.to(self.bias.dtype)
        total, cases = tally(rows, weights, self.bias)
        mean = total / cases
        total, cases = tally((rows - mean).square(), weights, self.log_variance)
        variance, limits = total / cases, torch.finfo(rows.dtype)
        rounding = (64 * limits.eps * mean).square().expand(self.shape).sum_to_size(self.variance_shape)
        changing = variance[variance > rounding * (variance.numel() / math.prod(self.shape))]
        typical = changing.log().mean().exp().item() if len(changing) else 1.0
        return variance.clamp_min(max(1e-4 * typical, limits.tiny))

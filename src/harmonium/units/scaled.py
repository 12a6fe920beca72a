"""Units with a quadratic energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from harmonium.units.checks import as_number
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally, weighted_sum
from harmonium.units.unit import Unit

RANGE = math.log(1e3)  # the largest change of a log-variance from the data's own, in nats


class Scaled(Unit):
    """Units whose states have a unit of measurement: energy (x - b)² / 2σ², statistic x / σ².

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    variance : float, optional
        σ² at first, the same for all units; positive. By default 1.
    bias_shape, variance_shape : sequence of int, optional
        Shapes that broadcast to `shape`, where units share biases or variances.
    learn_variance : bool, optional
        Whether `log_variance` is a parameter rather than a buffer. By default it is not if `variance` is given, and otherwise undecided
        until the layer joins a machine.
    least_variance : float, default 0.0
        A learnt variance stays at or above it.
    """

    one_sided: bool
    """Whether the states are restricted to x >= 0."""

    learn_variance: bool | None
    """Whether the variance is learnt. None while undecided: the variance is then fixed."""

    by_place: bool
    """Whether the layer's place in a machine decides that, because no argument does."""

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        variance: float | None = None,
        bias_shape: Sequence[int] | None = None,
        variance_shape: Sequence[int] | None = None,
        learn_variance: bool | None = None,
        least_variance: float = 0.0,
    ) -> None:
        super().__init__(shape)
        if not 0 <= as_number(least_variance) < math.inf:
            raise ValueError(f"the least variance of {type(self).__name__} units is a number of zero or more, found {least_variance!r}")
        if learn_variance is None and variance is not None:
            learn_variance = False
        self.by_place = learn_variance is None
        if self.by_place and variance_shape is None:
            variance_shape = bias_shape  # what serves many places alike has one scale
        variance = 1.0 if variance is None else variance
        if not 0 < as_number(variance) < math.inf:
            raise ValueError(f"the variance of {type(self).__name__} units must be a positive number, found {variance!r}")
        variance, least_variance = float(variance), float(least_variance)
        self.variance_at_start, self.least_variance, self.learn_variance = variance, least_variance, None
        self.bias_shape = self.shape if bias_shape is None else tuple(bias_shape)
        self.variance_shape = self.shape if variance_shape is None else tuple(variance_shape)
        self.bias = nn.Parameter(torch.zeros(self.bias_shape))
        self.log_variance: Tensor
        self.register_buffer("log_variance", torch.full(self.variance_shape, math.log(variance)))
        if learn_variance is not None:
            self._decide(learn_variance)

    def _decide(self, learn_variance: bool) -> None:
        self.learn_variance = learn_variance
        if learn_variance:
            log_variance = self.log_variance
            del self.log_variance
            self.log_variance = nn.Parameter(log_variance)

    def join_machine(self, *, visible: bool) -> None:
        """Decides whether the variance is learnt, if the constructor's arguments left it open: as a layer of data it is.

        A hidden layer's variance is a unit of measurement that the weights can take up, so it stays fixed.
        """
        if self.learn_variance is None:
            self._decide(visible)

    @property
    def statistic_is_learnt(self) -> bool:  # type: ignore[override]
        return bool(self.learn_variance)

    def statistic(self, states: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(states * torch.exp(-self.log_variance), given)

    def energy_terms(self, states: Tensor) -> Tensor:
        return 0.5 * (states - self.bias).square() * torch.exp(-self.log_variance)

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
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

    def as_visible_layer(self) -> Self:
        """As for all units. Where the layer's place decides whether the variance is learnt, it decides anew.

        So a net of two such machines has a variance for each direction, as it has biases for each: that of p(h | v), which is fixed, and
        that of p(h | layer above), which is learnt. The latter is at least the former, because the next machine learns from means, which
        leave out the noise of p(h | v).
        """
        arguments: dict[str, Any] = self.arguments()
        if self.by_place:
            arguments |= {"variance": None, "learn_variance": None}
            if self.learn_variance is False:
                arguments["least_variance"] = self.variance_at_start
        return type(self)(**arguments)

    def arguments(self) -> dict[str, object]:
        return {
            "shape": self.shape,
            "variance": None if self.learn_variance is None else self.variance_at_start,
            "bias_shape": self.bias_shape,
            "variance_shape": self.variance_shape,
            "learn_variance": self.learn_variance,
            "least_variance": self.least_variance,
        }

    # Learning in standard form (docs/gaussian-variances.md) -----------------------------------------------------------------------

    @torch.no_grad()
    def standard(self) -> tuple[Tensor, Tensor] | None:
        origin = torch.zeros_like(self.bias) if self.one_sided else self.bias.detach().clone()
        return origin.expand(self.shape), torch.exp(0.5 * self.log_variance.detach()).expand(self.shape)

    @torch.no_grad()
    def standardise_gradient(self) -> None:
        """Turns ∂/∂b into the natural gradient, by σ², and ∂/∂ log σ² into the average over the units that share it."""
        if self.bias.grad is not None:
            precision = torch.exp(-self.log_variance).expand(self.shape)
            self.bias.grad.div_(precision if self.bias_shape == self.shape else precision.sum_to_size(self.bias_shape))
        if self.log_variance.grad is not None:
            sharing = math.prod(self.shape) / self.log_variance.numel()
            self.log_variance.grad.div_(sharing)

    @torch.no_grad()
    def bounds(self, data: Tensor | None) -> dict[str, tuple[Tensor, Tensor]]:
        """Keeps a learnt variance within a factor of 1,000 of the data's own, and no less than the least.

        For a layer without data, it is within that factor of the initial variance.
        """
        if not self.learn_variance:
            return {}
        middle = torch.full_like(self.log_variance, math.log(self.variance_at_start))
        if data is not None:
            middle = self.data_variance(data).log()
        low = (middle - RANGE).clamp_min(math.log(self.least_variance) if self.least_variance else -math.inf)
        return {"log_variance": (low, torch.maximum(low, middle + RANGE))}

    def data_variance(self, data: Tensor, weights: Tensor | None = None) -> Tensor:
        """The variance of data about its mean: (*variance_shape), always positive.

        Means are taken over the units that share a bias, variances over those that share a variance. A unit that never changes has no
        variance, and one that hardly ever changes has almost none. So no variance is less than a ten-thousandth of the others' geometric
        mean; a few units of large scale do not dominate this mean as they would the average. `least_variance` bounds all of them.

        Parameters
        ----------
        data : torch.Tensor
            (cases, *shape).
        weights : torch.Tensor, optional
            (cases,).

        Returns
        -------
        torch.Tensor
            (*variance_shape).
        """
        rows = data.to(self.bias.dtype)
        total, cases = tally(rows, weights, self.bias)
        mean = total / cases
        total, cases = tally((rows - mean).square(), weights, self.log_variance)
        variance, limits = total / cases, torch.finfo(rows.dtype)
        rounding = (64 * limits.eps * mean).square().expand(self.shape).sum_to_size(self.variance_shape)
        changing = variance[variance > rounding * (variance.numel() / math.prod(self.shape))]
        typical = changing.log().mean().exp().item() if len(changing) else 1.0
        return variance.clamp_min(max(1e-4 * typical, limits.tiny, self.least_variance))

"""Real-valued units."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.units.given import Given, keep_present
from harmonium.units.scaled import Scaled
from harmonium.units.unit import check_finite, check_shape, tally, weighted_sum


class Gaussian(Scaled):
    """Linear units with Gaussian noise: energy (v - b)² / 2σ², statistic v / σ², so that v given x is N(b + x, σ²).

    This is the parametrisation of Cho, Ilin & Raiko (2011), in which the mean does not depend on σ. The tutorial's interaction
    Σ (v/σ) W h becomes this one with weights σ W. `variance`: σ², the same for all at first.
    `bias_shape` and `variance_shape` broadcast to the shape where biases or variances are shared. With `learn_variance` the
    `log_variance` is a parameter: it starts at the data's own variance, and `hm.fit` steps along it as docs/gaussian-variances.md tells.
    """

    one_sided = False

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
        """b = the mean of the data; a learnt variance starts at the data's own (see `data_variance`)."""
        total, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        self.bias.copy_(total / cases)
        if self.learn_variance:
            self.log_variance.copy_(self.data_variance(data, weights).log())

    def base_input(self, mean: Tensor) -> Tensor:
        return mean - self.bias.detach()

    def max_interaction(self, weights: Tensor, given: Given | None = None) -> Tensor:
        return torch.where((weights != 0).any(0), math.inf, 0.0)


def from_tutorial_form(weight: Tensor, variance: Tensor | float, hidden_variance: Tensor | float = 1.0) -> Tensor:
    """Weights of the energy Σ (v - b)²/2σ² - Σ (v/σ) W h (Hinton's tutorial, 2012) as the weights σ W of this package's: (visible, hidden).

    `variance`: σ², (visible,) or one number; `hidden_variance`: (hidden,), where the hidden units are Gaussian as well and their
    interaction is (v/σ_v) W (h/σ_h). Biases and variances are the same in both forms.
    """
    return weight * _product(weight, variance, hidden_variance)


def to_tutorial_form(weight: Tensor, variance: Tensor | float, hidden_variance: Tensor | float = 1.0) -> Tensor:
    """The way back of `from_tutorial_form`: weights W / σ, (visible, hidden)."""
    return weight / _product(weight, variance, hidden_variance)


def _product(weight: Tensor, variance: Tensor | float, hidden_variance: Tensor | float) -> Tensor:
    """σ_v σ_h, to broadcast with (visible, hidden)."""
    rows, columns = (torch.as_tensor(each).to(weight).sqrt().flatten() for each in (variance, hidden_variance))
    return rows[:, None] * columns

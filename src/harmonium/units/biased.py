"""What units have in common that meet their own bias as they meet the other layer's input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units.given import Given, keep_present
from harmonium.units.unit import Unit, weighted_sum


class Biased(Unit):
    """Units of the statistic x and of an energy -b·x + (what no parameter changes), so that inputs add to the bias b.

    `bias_shape`: a shape that broadcasts to the layer's, where biases are shared.
    """

    def __init__(self, shape: int | Sequence[int], *, bias_shape: Sequence[int] | None = None) -> None:
        super().__init__(shape)
        self.bias_shape = self.shape if bias_shape is None else tuple(bias_shape)
        self.bias = nn.Parameter(torch.zeros(self.bias_shape))

    def energy_terms(self, states: Tensor) -> Tensor:
        return -states * self.bias

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given | None = None
    ) -> dict[str, Tensor]:
        return {"bias": -weighted_sum(keep_present(states, given), weights, self.bias)}

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given | None = None, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        return {"bias": -weighted_sum(self.mean(input, given) if mean is None else mean, weights, self.bias)}

"""Units whose bias adds to the input from the other layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import weighted_sum
from harmonium.units.unit import Unit


class Biased(Unit):
    """Units with statistic x and energy -b·x plus terms without parameters, so that the input adds to the bias b.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases.
    """

    def __init__(self, shape: int | Sequence[int], *, bias_shape: Sequence[int] | None = None) -> None:
        super().__init__(shape)
        self.bias_shape = self.shape if bias_shape is None else tuple(bias_shape)
        self.bias = nn.Parameter(torch.zeros(self.bias_shape))

    def energy_terms(self, states: Tensor) -> Tensor:
        return -states * self.bias

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
    ) -> dict[str, Tensor]:
        return {"bias": -weighted_sum(keep_present(states, given), weights, self.bias)}

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        return {"bias": -weighted_sum(self.mean(input, given) if mean is None else mean, weights, self.bias)}

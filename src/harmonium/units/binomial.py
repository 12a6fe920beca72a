"""Units of several equal copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.units.counting import Counting, Values, in_blocks, invert_series
from harmonium.units.given import Given, keep_present
from harmonium.units.uniform import uniform

LISTED = 50
"""The highest number of copies that samples are drawn for by listing the counts."""


class Binomial(Counting):
    """The number of binary copies that are on, all with the same weights and bias: energy -b·k - log C(n, k), k from 0 to n = `copies`.

    Given x each copy is on with p = σ(b + x): mean n p, variance n p (1 - p) (rate-coded units: Teh & Hinton 2001). One copy is a
    Bernoulli unit. `values`: "counts", or "means" where the data are conditional means from 0 to n.
    """

    copies: int

    def __init__(
        self, shape: int | Sequence[int], *, copies: int, bias_shape: Sequence[int] | None = None, values: Values = "counts"
    ) -> None:
        if copies is None:
            raise ValueError("Binomial units are made of one or more copies, found None; SteppedSigmoid and Poisson units have no end")
        super().__init__(shape, copies=copies, bias_shape=bias_shape, values=values)

    def base(self, states: Tensor) -> Tensor:
        """-log C(n, k), by way of float64: differences of large log-factorials."""
        k = states.double()
        return (torch.lgamma(k + 1) + torch.lgamma(self.copies - k + 1) - math.lgamma(self.copies + 1)).to(states.dtype)

    def log_partition(self, input: Tensor, given: Given | None = None) -> Tensor:
        return self.total(keep_present(self.copies * F.softplus(input + self.bias, threshold=30.0), given))

    def mean(self, input: Tensor, given: Given | None = None) -> Tensor:
        return keep_present((input + self.bias).sigmoid_() * self.copies, given)

    def variance(self, input: Tensor, given: Given | None = None) -> Tensor:
        total = input + self.bias
        return keep_present(self.copies * torch.sigmoid(total) * torch.sigmoid(-total), given)

    def mode(self, input: Tensor, given: Given | None = None) -> Tensor:
        """⌈(n + 1) p⌉ - 1: the lower of two equals."""
        p = (input + self.bias).sigmoid()
        return keep_present((p * (self.copies + 1)).ceil().sub(1).clamp(0, self.copies), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given | None = None, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution at one uniform number a unit, of the copies that are in the minority; of many copies,
        PyTorch's rejection sampler."""
        total = input + self.bias
        if self.copies <= LISTED:
            return keep_present(in_blocks(self._listed, total, uniform(total.shape, total, generator)), given)
        p = torch.sigmoid(-total.abs()).nan_to_num_(0.0)
        rare = torch.binomial(torch.full_like(p, self.copies), p, generator=generator)
        return keep_present(torch.where(total > 0, self.copies - rare, rare), given)

    def _listed(self, total: Tensor, u: Tensor) -> Tensor:
        """The count at which the cumulative distribution passes u."""
        odds = torch.exp(-total.abs())  # of the rarer state of a copy
        ways = (math.comb(self.copies, k) for k in range(1, self.copies + 1))
        rare = invert_series(u, torch.log1p(odds).mul_(-self.copies).exp_(), odds, ways)
        return torch.where(total > 0, self.copies - rare, rare)

    def natural(self, mean: Tensor) -> Tensor:
        return torch.log(mean.double()) - torch.log(self.copies - mean.double())

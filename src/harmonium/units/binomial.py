"""Units made of several equal binary copies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.units.counting import Counting, Values, in_blocks, invert_series
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.uniform import uniform

LISTED = 50
"""Up to this number of copies, sampling lists the counts."""


class Binomial(Counting):
    """Units that count how many of `copies` equal binary units are on.

    All copies of a unit share its weights and its bias. Given the input x each copy is on with probability p = σ(b + x). One copy is a
    Bernoulli unit.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    copies : int
        n, the number of copies and the highest state.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.
    values : {"counts", "means"}
        What the data are: whole numbers from 0 to n, or conditional means from 0 to n.

    Raises
    ------
    ValueError
        For `copies` that are None or below one, and for other `values`.

    Notes
    -----
    The energy is -b·k - log C(n, k), k from 0 to n. The conditional has mean n p and variance n p (1 - p) (rate-coded units: Teh &
    Hinton 2001).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Binomial(2, copies=10)
    >>> input = torch.tensor([0.0, 2.0])
    >>> units.mean(input).detach(), units.variance(input).detach()
    (tensor([5.0000, 8.8080]), tensor([2.5000, 1.0499]))
    >>> rbm = hm.RBM(units, hm.Bernoulli(4))
    >>> rbm.free_energy(torch.tensor([[3.0, 10.0]])).shape
    torch.Size([1])
    """

    copies: int

    def __init__(
        self, shape: int | Sequence[int], *, copies: int, bias_shape: Sequence[int] | None = None, values: Values = "counts"
    ) -> None:
        if copies is None:
            raise ValueError("Binomial units are made of one or more copies, found None; SteppedSigmoid and Poisson units are unbounded")
        super().__init__(shape, copies=copies, bias_shape=bias_shape, values=values)

    def base(self, states: Tensor) -> Tensor:
        """-log C(n, k), computed in float64 because large log-factorials nearly cancel."""
        k = states.double()
        return (torch.lgamma(k + 1) + torch.lgamma(self.copies - k + 1) - math.lgamma(self.copies + 1)).to(states.dtype)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.total(keep_present(self.copies * F.softplus(input + self.bias, threshold=30.0), given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present((input + self.bias).sigmoid_() * self.copies, given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = input + self.bias
        return keep_present(self.copies * torch.sigmoid(total) * torch.sigmoid(-total), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """⌈(n + 1) p⌉ - 1, the lower state where two are equally probable."""
        p = (input + self.bias).sigmoid()
        return keep_present((p * (self.copies + 1)).ceil().sub(1).clamp(0, self.copies), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Draws by inverting the cumulative distribution of the copies in the minority state, at one uniform number per unit.

        With more than `LISTED` copies, PyTorch's rejection sampler draws.
        """
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

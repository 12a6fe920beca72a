"""Unbounded counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.units.counting import Counting, Values, in_blocks, invert_series
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.uniform import uniform

LISTED = 10.0
"""Up to this rate, sampling lists the counts."""

FEW, ALL = [[1 / math.factorial(k) for k in range(1, counts + 1)] for counts in (8, 40)]
"""Coefficients listed for all units, and for the few whose count reaches 8: P(k >= 40) is below 1e-11 at a rate of ten."""

LARGE = 1000.0
"""From this rate on, the asymptotic quantile is exact to the resolution of a float32 uniform number."""


class Poisson(Counting):
    """Unbounded counts.

    Given the input x, a count is Poisson with rate λ = exp(b + x), which is its mean and its variance. The joint with another layer
    exists only for the weights that `check_normalisable` passes. The rate overflows above b + x = 88 (709 in float64); log-partition,
    mean, variance and samples are then infinite.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.
    values : {"counts", "means"}
        What the data are: whole numbers, or conditional means.

    Raises
    ------
    ValueError
        For other `values`.

    Notes
    -----
    The energy is -b·k + log k! (Welling, Rosen-Zvi & Hinton 2005; Yang et al. 2012).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Poisson(3)
    >>> units.mean(torch.tensor([-1.0, 0.0, 2.0])).detach()
    tensor([0.3679, 1.0000, 7.3891])
    >>> rows = torch.tensor([[0.0, 2.0, 5.0], [2.0, 2.0, 7.0]])
    >>> units.init_from(rows)  # the base rates, with half a count more
    >>> units.bias.detach().exp()
    tensor([1.2500, 2.2500, 6.2500])
    """

    def __init__(self, shape: int | Sequence[int], *, bias_shape: Sequence[int] | None = None, values: Values = "counts") -> None:
        super().__init__(shape, copies=None, bias_shape=bias_shape, values=values)

    def base(self, states: Tensor) -> Tensor:
        """log k!."""
        return torch.lgamma(states + 1)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.total(keep_present(torch.exp(input + self.bias), given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(torch.exp(input + self.bias), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.mean(input, given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """⌈λ⌉ - 1, the lower state where two are equally probable."""
        return keep_present(torch.exp(input + self.bias).ceil().sub(1).clamp_min(0), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution.

        Up to the rate `LISTED` it lists the counts, at one uniform number per unit. Above, it takes the asymptotic quantile of one normal
        number per unit. On devices other than a CPU, PyTorch's sampler draws up to the rate `LARGE`.
        """
        rate = torch.exp(input + self.bias) if mean is None else mean
        if rate.device.type != "cpu":
            return keep_present(_on_device(rate, generator), given)
        u, small = uniform(rate.shape, rate, generator).flatten(), (rate <= LISTED).flatten()
        listed = torch.where(small, rate.flatten(), torch.zeros((), dtype=rate.dtype))
        drawn = in_blocks(lambda u, rate: invert_series(u, torch.exp(-rate), rate, FEW), u, listed)
        beyond = (drawn == len(FEW)).nonzero().squeeze(1)
        if len(beyond):
            rest = listed[beyond]
            drawn.index_copy_(0, beyond, in_blocks(lambda u, rate: invert_series(u, torch.exp(-rate), rate, ALL), u[beyond], rest))
        large = (~small).nonzero().squeeze(1)
        if len(large):
            rates = rate.flatten()[large]
            z = torch.randn(rates.shape, generator=generator, dtype=rates.dtype)
            drawn.index_copy_(0, large, in_blocks(_exact_quantile, rates, z))
        return keep_present(drawn.reshape(rate.shape), given)

    def natural(self, mean: Tensor) -> Tensor:
        return torch.log(mean.double())

    def input_bound(self) -> Tensor | None:
        return torch.full((math.prod(self.shape),), math.inf, dtype=torch.float64)

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "bias_shape": self.bias_shape, "values": self.values}


def _quantile(rate: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """The quantile of the standard normal number z, as the whole part of the rate and the rest.

    They are kept apart because a large whole part would absorb the rest in rounding. This is Giles's (2016, Algorithm 955) expansion,
    whose floor is the count; its error is below 0.05 (1 + z⁴) rate^-1.5 for rates of ten and more.
    """
    whole, root, square = rate.floor(), rate.sqrt(), z.square()
    rest = (rate - whole) + root * z + (1 / 3 + square / 6) - z * (1 / 36 + square / 72) / root
    return whole, rest + (-8 / 405 + square * (7 / 810 + square / 270)) / rate


def _exact_quantile(rate: Tensor, z: Tensor) -> Tensor:
    """The Poisson count of the standard normal number z for rates of ten and more; infinite or NaN where the rate is.

    Where the expansion is so near a whole number that its error could matter, the cumulative distribution itself decides.
    """
    whole, rest = _quantile(rate, z)
    count, nearest = whole + rest.floor(), rest.round()
    near = (rate <= LARGE) & ((rest - nearest).abs() < 0.05 * (1 + z.square().square()) / (rate * rate.sqrt()))
    places = near.nonzero().squeeze(1)
    if len(places):
        upper = (whole[places] + nearest[places]).double().clamp_min_(0)
        short = torch.special.ndtr(z[places].double()) < torch.special.gammaincc(upper, rate[places].double())
        count.index_copy_(0, places, (upper - short.double()).to(count.dtype))
    return torch.where(torch.isfinite(rate), count, rate)


def _on_device(rate: Tensor, generator: torch.Generator) -> Tensor:
    """Poisson counts of any rates, computed without reading values back; infinite or NaN where the rate is."""
    z = torch.randn(rate.shape, generator=generator, dtype=rate.dtype, device=rate.device)
    whole, rest = _quantile(rate, z)
    drawn = torch.poisson(rate.clamp_max(LARGE).nan_to_num(0.0), generator=generator)
    return torch.where(rate <= LARGE, drawn, torch.where(torch.isfinite(rate), whole + rest.floor(), rate))

"""Rectified real-valued units that have an energy."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.scaled import Scaled
from harmonium.units.sums import tally, weighted_sum
from harmonium.units.uniform import uniform

FAR = -20.0  # below it, in standard deviations, the moments come from their asymptotic series
DEEP = -5.5  # below it sampling uses the tail
ROUNDS = 20  # of moment matching for a starting bias and variance


class TruncatedGaussian(Scaled):
    """Rectified real-valued units with a joint energy: Gaussian units restricted to x >= 0.

    Given the input t, x is N(b + t, σ²) truncated at zero. With z = (b + t) / σ, the mean goes from σ / |z| far below zero to b + t far
    above. Log-partitions and moments are computed in float64, whatever the type, and stay accurate up to inputs of ±10,000 standard
    deviations.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    variance : float, optional
        σ² at first, the same for all units; positive. By default 1. It is the variance before truncation.
    bias_shape, variance_shape : sequence of int, optional
        Shapes that broadcast to `shape`, where units share biases or variances. By default each unit has its own. Units that share biases
        share variances in the same way, if neither `variance_shape` nor `variance` nor `learn_variance` is given.
    learn_variance : bool, optional
        Whether `log_variance` is a parameter rather than a buffer. If neither it nor `variance` is given, a visible layer learns its
        variances and a hidden layer keeps them at 1, as for `Gaussian`.
    least_variance : float, default 0.0
        A learnt variance stays at or above it.

    Raises
    ------
    ValueError
        For a variance that is not a positive number, and a negative least variance.

    Notes
    -----
    The energy is (x - b)² / 2σ² for x >= 0, and the statistic is x / σ².

    Learnt variances serve data of any scale, and are stable. Where data happen to be of unit scale, hidden units can learn faster at first
    with `variance=1.0` (docs/gaussian-variances.md has the figures).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.TruncatedGaussian(3)
    >>> units.mean(torch.tensor([-10.0, 0.0, 10.0])).detach()
    tensor([ 0.0981,  0.7979, 10.0000])
    >>> draws = units.sample(torch.zeros(1000, 3), generator=torch.Generator().manual_seed(0))
    >>> bool((draws >= 0).all())
    True
    """

    one_sided = True

    def location(self, input: Tensor) -> Tensor:
        """z = (b + input) / σ, (*leading, *shape)."""
        return (input + self.bias) * torch.exp(-0.5 * self.log_variance)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """Σ log(σ √2π Φ(z)) + (z² - b²/σ²) / 2."""
        log_variance = self.log_variance.double()
        z = (input.double() + self.bias) * torch.exp(-0.5 * log_variance)
        constant = 0.5 * (math.log(2 * math.pi) + log_variance - self.bias.double().square() * torch.exp(-log_variance))
        return self.total(keep_present(_piecewise(FAR, _log_cdf, _far_log_cdf, z) + constant, given)).to(input.dtype)

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        mean = _standard_mean(self.location(input).double()).to(input.dtype)
        return keep_present(mean * torch.exp(0.5 * self.log_variance), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        variance = _standard_variance(self.location(input).double()).to(input.dtype)
        return keep_present(variance * torch.exp(self.log_variance), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present((input + self.bias).clamp_min(0), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution at one uniform number per unit."""
        u = 1 - uniform(input.shape, input, generator)  # in (0, 1]
        x = _piecewise(DEEP, _inverse, _deep_inverse, self.location(input), u)
        return keep_present(x.mul_(torch.exp(0.5 * self.log_variance)), given)

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        mean = self.mean(input) if mean is None else mean
        gradient = self.parameter_gradient(mean, input, weights, given)
        if self.learn_variance:
            spread = keep_present(0.5 * _standard_variance(self.location(input).double()).to(input.dtype), given)
            gradient["log_variance"] -= weighted_sum(spread, weights, self.log_variance)
        return gradient

    def check(self, states: Tensor) -> None:
        check_shape("TruncatedGaussian", states, self.shape)
        check_finite("TruncatedGaussian", states)
        low = states.min().item()
        if low < 0:
            raise ValueError(
                f"TruncatedGaussian units expect numbers of zero or more, found {low:g}; subtract the smallest value, or use Gaussian units"
            )

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets the bias for which the mean is that of the data, but no less than one extra case of σ would make it.

        A learnt variance starts near where the first two moments are the data's: E[x²] = σ² + b E[x] is matched in rounds. It is never less
        than the data's own variance, which the truncation reduces, nor more than a thousand times as much.
        """
        every = torch.zeros(self.shape, dtype=self.bias.dtype, device=self.bias.device)
        rows = data.to(every)
        (total, cases), (squares, _) = tally(rows, weights, every), tally(rows.square(), weights, every)
        first, second = total.double() / cases, squares.double() / cases
        variance, bias = self.log_variance.double().exp(), torch.zeros_like(self.bias, dtype=torch.float64)
        spread = self.data_variance(rows, weights).double()
        for _ in range(ROUNDS if self.learn_variance else 1):
            if self.learn_variance:
                variance = _average(second - bias * first, self.log_variance).clamp(spread, 1e3 * spread)
            scale = _average(variance.expand(self.shape), self.bias).sqrt()
            bias = scale * _solve((_average(first, self.bias) / scale).clamp_min(1 / (cases + 1)))
        self.bias.copy_(bias)
        if self.learn_variance:
            self.log_variance.copy_(variance.log())

    @torch.no_grad()
    def base_input(self, mean: Tensor) -> Tensor:
        scale = torch.exp(0.5 * self.log_variance.double())
        return (scale * _solve((mean.double() / scale).clamp_min(1e-3)) - self.bias).to(mean.dtype)

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return torch.where((weights > 0).any(0), math.inf, 0.0)


def _series(z: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Σ_k c_k / z^2k."""
    t, total = z.square().reciprocal(), torch.full_like(z, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * t + coefficient
    return total


def _piecewise(bound: float, near: Callable[..., Tensor], far: Callable[..., Tensor], z: Tensor, *others: Tensor) -> Tensor:
    """near(z, ...), or far(z, ...) where z is below the bound; both act on single elements."""
    low = z < bound
    if z.device.type != "cpu":  # where selecting elements would force a synchronisation
        return torch.where(low, far(z.clamp_max(bound), *others), near(z.clamp_min(bound), *others))
    rest, other = low, far
    if int(low.sum()) <= low.numel() // 2:
        found = near(z.clamp_min(bound), *others)
    else:
        found, rest, other = far(z.clamp_max(bound), *others), ~low, near
    places = rest.flatten().nonzero().squeeze(1)
    if len(places):
        picked = (each.reshape(-1).index_select(0, places) for each in (z, *others))
        found = found.flatten().index_copy_(0, places, other(*picked)).reshape(z.shape)
    return found


def _log_cdf(z: Tensor) -> Tensor:
    """log Φ(z) + z²/2."""
    return torch.log(0.5 * torch.erfc(z * -math.sqrt(0.5))) + 0.5 * z.square()


def _far_log_cdf(z: Tensor) -> Tensor:
    return torch.log(_series(z, (1.0, -1.0, 3.0, -15.0, 105.0, -945.0)) / (-math.sqrt(2 * math.pi) * z))


def _excess(z: Tensor) -> Tensor:
    """φ(z) / Φ(z), the amount by which the mean exceeds z."""
    z = z.clamp_max(10.0)  # beyond, it is below the smallest bit of the mean
    return math.sqrt(2 / math.pi) * torch.exp(-0.5 * z.square()) / torch.erfc(z * -math.sqrt(0.5))


def _standard_mean(z: Tensor) -> Tensor:
    """The mean of N(z, 1) truncated at zero, z + φ(z) / Φ(z), for z in float64."""
    return _piecewise(FAR, lambda z: z + _excess(z), lambda z: _series(z, (-1.0, 2.0, -10.0, 74.0, -706.0, 8162.0)) / z, z)


def _standard_variance(z: Tensor) -> Tensor:
    """The variance of N(z, 1) truncated at zero, 1 - r (z + r) with r = φ(z) / Φ(z), for z in float64."""

    def near(z: Tensor) -> Tensor:
        r = _excess(z)
        return 1 - r * (z + r)

    return _piecewise(FAR, near, lambda z: _series(z, (1.0, -6.0, 50.0, -518.0, 6354.0, -89782.0)) / z.square(), z)


def _inverse(z: Tensor, u: Tensor) -> Tensor:
    """The x with P(X > x) = u for N(z, 1) truncated at zero, z - Φ⁻¹(u Φ(z)), with the inverse in float64."""
    low = z * -math.sqrt(0.5)
    p = torch.erfc(low).double().mul_(u)
    return p.sub_(1).erfinv_().add_(low).to(z.dtype).mul_(-math.sqrt(2)).clamp_min_(0)


def _deep_inverse(z: Tensor, u: Tensor) -> Tensor:
    """The same far below zero.

    It takes one step of Newton's method on -log P(X > x), starting from the solution of its second-order Taylor series.
    """
    a, e = -z, -torch.log(u)
    hazard = _hazard(a)
    x = 2 * e / (hazard + torch.sqrt(hazard * (hazard + 2 * e * (hazard - a))))
    there = _hazard(a + x)
    return (x - (x * (a + 0.5 * x) + torch.log(there / hazard) - e) / there).clamp_min_(0)


def _hazard(y: Tensor) -> Tensor:
    """φ(y) / (1 - Φ(y)) for y above five: y + 1/(y + 2/(y + 3/(y + ...))) (Laplace)."""
    found = y
    for k in (7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0):
        found = y + k / found
    return found


def _solve(mean: Tensor) -> Tensor:
    """The z at which N(z, 1) truncated at zero has this positive mean, by Newton's method, in float64."""
    z = mean - mean.reciprocal()
    for _ in range(10):
        z = z - (_standard_mean(z) - mean) / _standard_variance(z)
    return z


def _average(values: Tensor, like: Tensor) -> Tensor:
    """Values of (*shape) averaged down to the shape of `like`, which broadcasts."""
    return values.sum_to_size(like.shape) * (like.numel() / values.numel())

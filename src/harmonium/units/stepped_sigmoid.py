"""Copies of a binary unit whose biases decrease in steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from harmonium.units.counting import Counting, Values, in_blocks
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.uniform import uniform

Q = math.exp(-1.0)
TERMS = 10
"""The number of terms of a series that falls like exp(-k²/2): enough for float64."""

FACTORS = [math.prod(1 - Q**i for i in range(1, k + 1)) for k in range(TERMS + 1)]
COUNTS = [Q ** (k * k / 2) / FACTORS[k] for k in range(TERMS + 1)]
"""exp(-base(k)) of the unbounded unit: Π_{n >= 1} (1 + x q^(n - ½)) = Σ_k COUNTS[k] x^k (Euler)."""
FIRST = [k * COUNTS[k] for k in range(1, TERMS + 1)]
SECOND = [k * k * COUNTS[k] for k in range(1, TERMS + 1)]

TAILS = [(-1) ** n * Q ** (n * (n - 1) / 2) / FACTORS[n] for n in range(TERMS + 1)]
"""Π_{i >= 0} (1 - y q^i) = Σ_n TAILS[n] y^n (Euler)."""

LOG_FACTORS = sum(math.log1p(-math.exp(-i)) for i in range(1, 60))
CONSTANT = 0.5 * math.log(2 * math.pi) - LOG_FACTORS
RIPPLE = 2 * math.exp(-2 * math.pi**2)


class SteppedSigmoid(Counting):
    """Units that count how many of several binary copies are on, where the copies' biases decrease in steps of one.

    The copies of a unit share its weights and have the biases b - ½, b - 1½, b - 2½, ... Without a limit to their number the unit is a
    discrete rectified unit, whose mean is log(1 + e^t) to within 0.011, t = b + x.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    copies : int, optional
        N, the number of copies and the highest state. By default the states are unbounded.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.
    values : {"counts", "means"}
        What the data are: whole numbers, or conditional means.

    Raises
    ------
    ValueError
        For `copies` below one, and for other `values`.

    Notes
    -----
    The units are those of Nair & Hinton (2010). The energy is -b k + k²/2 - log [N choose k]_q with q = 1/e and Gauss's binomial
    coefficient; of unbounded units it is -b k + k²/2 + Σ_{i <= k} log(1 - e^-i).

    The log-partition of an unbounded unit is S(t) = Σ_n log(1 + e^(t - n + ½)). For t <= 0 it is the log of Euler's series in e^t. For
    t > 0, Jacobi's triple product gives S(t) + S(-t) = t²/2 + ½ log 2π - Σ_i log(1 - e^-i) + log(1 + 2 e^(-2π²) cos 2πt). Both take a
    fixed number of terms. N copies have S(t) - S(t - N), which is computed where t <= N/2; its mirror image is used beyond.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.SteppedSigmoid(3)
    >>> units.mean(torch.tensor([-2.0, 0.0, 3.0])).detach()
    tensor([0.1226, 0.6826, 3.0467])
    >>> hm.SteppedSigmoid(3, copies=2).mean(torch.tensor([-2.0, 0.0, 3.0])).detach()
    tensor([0.1052, 0.5600, 1.7417])
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        copies: int | None = None,
        bias_shape: Sequence[int] | None = None,
        values: Values = "counts",
    ) -> None:
        super().__init__(shape, copies=copies, bias_shape=bias_shape, values=values)

    def base(self, states: Tensor) -> Tensor:
        base = 0.5 * states.square() + log_factors(states)
        return base if self.copies is None else base + (log_factors(self.copies - states) - _log_factors(self.copies))

    def _mirrored(self, total: Tensor) -> tuple[Tensor, Tensor]:
        """Whether on average more than half of the copies are on, and the t of the smaller part: (*leading, *shape) each."""
        if self.copies is None:
            return torch.zeros_like(total, dtype=torch.bool), total
        upper = total > self.copies / 2
        return upper, torch.where(upper, self.copies - total, total)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = input + self.bias
        upper, t = self._mirrored(total)
        terms = infinite_copies_log_partition(t)
        if self.copies is not None:
            terms = terms - infinite_copies_log_partition(t - self.copies)
            terms = terms + torch.where(upper, self.copies * (total - self.copies / 2), torch.zeros_like(total))
        return self.total(keep_present(terms, given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(in_blocks(self._mean, input + self.bias), given)

    def _mean(self, total: Tensor) -> Tensor:
        upper, t = self._mirrored(total)
        if self.copies is None:
            return infinite_copies_mean(t)
        fewer = infinite_copies_mean(t) - infinite_copies_mean(t - self.copies)
        return torch.where(upper, self.copies - fewer, fewer)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(in_blocks(self._variance, input + self.bias), given)

    def _variance(self, total: Tensor) -> Tensor:
        _, t = self._mirrored(total)
        return (
            infinite_copies_variance(t) if self.copies is None else infinite_copies_variance(t) - infinite_copies_variance(t - self.copies)
        )

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """The most probable count; k + 1 is more probable than k where t > k + ½ + log(1 - q^(k + 1)) - log(1 - q^(N - k))."""
        upper, t = self._mirrored(input + self.bias)
        k = (t - 0.5).ceil().clamp_min(0)
        step = k + 0.5 + torch.log1p(-torch.exp(-(k + 1)))
        if self.copies is None:
            return keep_present(k + (t > step), given)
        k = k + (t > step - torch.log1p(-torch.exp(k - self.copies)))
        return keep_present(torch.where(upper, self.copies - k, k), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution at one uniform number per unit, over a window of counts.

        The probability outside the window is below the resolution of a uniform number: a count lies further than d from t with a
        probability of about exp(-d²/2).
        """
        total = input + self.bias
        return keep_present(in_blocks(self._inverted, total, uniform(total.shape, total, generator)), given)

    def _inverted(self, total: Tensor, u: Tensor) -> Tensor:
        """The count at which the cumulative distribution passes u."""
        upper, t = self._mirrored(total)
        reach = 5 if t.dtype == torch.float32 else 8
        steps = 2 * reach + 1 if self.copies is None else min(2 * reach + 1, self.copies)
        low = (t.floor() - reach).clamp_min_(0)
        steep = (low - t + 0.5).clamp_max_(40.0).exp_()  # count low + j is steep e^j - offset times as probable as the one after it
        offset = -steep * torch.exp(-(low + 1))
        ending = torch.exp(low - self.copies) if self.copies is not None and self.copies <= 10 * reach else None
        weight, buffer = torch.ones_like(t), torch.empty_like(t)
        cumulative = torch.ones((steps + 1, *t.shape), dtype=t.dtype, device=t.device)
        for j in range(steps):
            weight.div_(torch.add(offset, steep, alpha=math.exp(j), out=buffer))
            if ending is not None:
                weight.sub_(torch.mul(weight, ending, out=buffer), alpha=math.exp(j))
            torch.add(cumulative[j], weight, out=cumulative[j + 1])
        target = u * cumulative[-1]
        for below in cumulative[:-1]:
            low.add_(torch.ge(target, below, out=buffer))
        return low if self.copies is None else torch.where(upper, self.copies - low, low)

    def natural(self, mean: Tensor) -> Tensor:
        """The natural parameter t of each mean, by Newton's method.

        It starts from the t of the smooth unit, whose mean is log(1 + e^t) - log(1 + e^(t - N)).
        """
        m = mean.double()
        if self.copies is None:
            t = m + torch.log(-torch.expm1(-m))
            upper = torch.zeros_like(m, dtype=torch.bool)
        else:
            upper = m > self.copies / 2
            m = torch.where(upper, self.copies - m, m)
            t = m + torch.log(-torch.expm1(-m)) - torch.log(-torch.expm1(m - self.copies))
        for _ in range(6):
            t = t - (self._mean(t) - m) / self._variance(t)
        return t if self.copies is None else torch.where(upper, self.copies - t, t)

    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        if self.copies is not None:
            return None
        ones = torch.ones(math.prod(self.shape), dtype=torch.float64, device=self.bias.device)
        return ones, torch.ones_like(ones, dtype=torch.bool)


def _log_factors(k: int) -> float:
    """Σ_{i <= k} log(1 - e^-i)."""
    return sum(math.log1p(-math.exp(-i)) for i in range(1, min(k, 60) + 1))


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Σ_k coefficients[k] x^k for 0 <= x <= 1, where the coefficients fall like exp(-k²/2), so that float32 needs fewer of them."""
    used = coefficients[:8] if x.dtype == torch.float32 else coefficients
    value = x * used[-1] + used[-2]
    for coefficient in used[-3::-1]:
        value = value * x + coefficient
    return value


def log_factors(k: Tensor) -> Tensor:
    """Σ_{i <= k} log(1 - e^-i), also between whole numbers: the sum of all terms minus those after k."""
    return LOG_FACTORS - torch.log(_polynomial(torch.exp(-(k + 1)), TAILS))


def _fold(t: Tensor) -> tuple[Tensor, Tensor]:
    """max(t, 0) and exp(-|t|), whose derivatives at zero are those of t < 0."""
    over = torch.relu(t)
    return over, torch.exp(torch.sub(t, over, alpha=2))


def infinite_copies_log_partition(t: Tensor) -> Tensor:
    """S(t) = Σ_{n >= 1} log(1 + e^(t - n + ½)), the log-partition of a unit with infinitely many copies."""
    over, x = _fold(t)
    below = torch.log1p(x * _polynomial(x, COUNTS[1:]))
    above = 0.5 * over.square() + CONSTANT + RIPPLE * torch.cos(2 * math.pi * over) - below
    return torch.where(t > 0, above, below)


def infinite_copies_mean(t: Tensor) -> Tensor:
    """S'(t) = Σ_{n >= 1} σ(t - n + ½), its mean."""
    over, x = _fold(t)
    return over + _mean_below(x)[0] - 2 * math.pi * RIPPLE * torch.sin(2 * math.pi * over)


def infinite_copies_variance(t: Tensor) -> Tensor:
    """S''(t), its variance."""
    over, x = _fold(t)
    first, total = _mean_below(x)
    below = x * _polynomial(x, SECOND) / total - first.square()
    return torch.where(t > 0, 1 - 4 * math.pi**2 * RIPPLE * torch.cos(2 * math.pi * over) - below, below)


def _mean_below(x: Tensor) -> tuple[Tensor, Tensor]:
    """S'(t) and e^S(t) for e^t = x <= 1."""
    total = 1 + x * _polynomial(x, COUNTS[1:])
    return x * _polynomial(x, FIRST) / total, total

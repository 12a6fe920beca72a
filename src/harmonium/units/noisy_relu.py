"""Noisy rectified linear units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape, no_joint
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally

Noise = Literal["sigmoid", "unit", "none"]
BISECTIONS = 60


class NoisyReLU(Biased):
    """Noisy rectified linear units: max(0, t + noise), t = b + input.

    They approximate stepped sigmoid units and are faster. The conditional belongs to no joint energy: `has_joint_energy` is false, and
    energies, log-partitions and everything that needs them raise a TypeError. Learning follows the gradient of the energy -b·x of the
    units that they approximate.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    noise : {"sigmoid", "unit", "none"}
        The variance of the noise: σ(t) ("sigmoid"), 1 ("unit") or 0 ("none").
    cap : float, optional
        The highest state. By default the states are unbounded.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.

    Raises
    ------
    ValueError
        For another `noise`, and for a `cap` that is not a positive number.

    Notes
    -----
    With noise of variance s² the mean is m(t) = t Φ(t/s) + s φ(t/s), Φ and φ being the standard normal distribution function and
    density. The noise of variance σ(t) is that of Nair & Hinton (2010).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.NoisyReLU(3, noise="none", cap=1.0)
    >>> units.mean(torch.tensor([-1.0, 0.5, 2.0])).detach()
    tensor([0.0000, 0.5000, 1.0000])
    >>> noisy = hm.NoisyReLU(3)
    >>> bool((noisy.sample(torch.zeros(100, 3), generator=torch.Generator().manual_seed(0)) >= 0).all())
    True
    """

    has_joint_energy = False

    def __init__(
        self, shape: int | Sequence[int], *, noise: Noise = "sigmoid", cap: float | None = None, bias_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__(shape, bias_shape=bias_shape)
        if noise not in ("sigmoid", "unit", "none"):
            raise ValueError(f'noise must be "sigmoid", "unit" or "none", found {noise!r}')
        if cap is not None and not (math.isfinite(cap) and cap > 0):
            raise ValueError(f"a cap must be a positive number, or None for units without one, found {cap!r}")
        self.noise: Noise = noise
        self.cap = cap

    def energy_terms(self, states: Tensor) -> Tensor:
        raise no_joint(self, "an energy")

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        raise no_joint(self, "a log-partition")

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """m(t) - m(t - cap) with m(t) = t Φ(t/s) + s φ(t/s), where s² is the variance of the noise."""
        return keep_present(self._mean(input + self.bias), given)

    def _mean(self, t: Tensor) -> Tensor:
        if self.noise == "none":
            return t.clamp(0, self.cap)
        s = self._scale(t)
        mean = _rectified(t, s)
        return mean if self.cap is None else (mean - _rectified(t - self.cap, s)).clamp(0, self.cap)

    def _scale(self, t: Tensor) -> Tensor:
        """The standard deviation of the noise."""
        return t.sigmoid().sqrt_() if self.noise == "sigmoid" else torch.ones_like(t)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """V(t) - V(t - cap) - 2 m(t - cap) (cap - mean), where V(t) is the variance of max(0, t + noise)."""
        t = input + self.bias
        if self.noise == "none":
            return torch.zeros_like(t)
        s = self._scale(t)
        variance = _rectified_variance(t, s)
        if self.cap is not None:
            over = t - self.cap
            below = _rectified(-over, s) - _rectified(-t, s)  # cap - mean
            variance = (variance - _rectified_variance(over, s) - 2 * _rectified(over, s) * below).clamp_min(0)
        return keep_present(variance, given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """The state without noise, max(0, t), capped."""
        return keep_present((input + self.bias).clamp(0, self.cap), given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        t = input + self.bias
        if self.noise != "none":
            noise = torch.randn(t.shape, generator=generator, dtype=t.dtype, device=t.device)
            t = t.addcmul_(noise, t.sigmoid().sqrt_()) if self.noise == "sigmoid" else t.add_(noise)
        return keep_present(t.clamp_(0, self.cap), given)

    def check(self, states: Tensor) -> None:
        check_shape("NoisyReLU", states, self.shape)
        check_finite("NoisyReLU", states)
        low, high = states.min().item(), states.max().item()
        if low < 0 or (self.cap is not None and high > self.cap):
            expected = "numbers of zero or more" if self.cap is None else f"numbers from 0 to the cap of {self.cap:g}"
            raise ValueError(f"NoisyReLU units expect {expected}, found values from {low:g} to {high:g}")

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets the bias for which the mean is that of the data and one extra case at the mean without input and bias."""
        total, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        idle = self._mean(torch.zeros((), dtype=torch.float64, device=total.device))
        self.bias.copy_(self._solve((total.double() + idle) / (cases + 1)))

    @torch.no_grad()
    def base_input(self, mean: Tensor) -> Tensor:
        high = None if self.cap is None else self.cap * (1 - 1e-3)
        return (self._solve(mean.double().clamp(min(1e-3, 1e-3 * (self.cap or 1)), high)) - self.bias).to(mean.dtype)

    def _solve(self, mean: Tensor) -> Tensor:
        """The t at which the mean is `mean`, by bisection: float64."""
        low = torch.full_like(mean, -40.0)
        high = mean + 1 if self.cap is None else torch.full_like(mean, self.cap + 40)
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            above = self._mean(middle) > mean
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return 0.5 * (low + high)

    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        """A scale of one for units without a cap, whose states grow like those of unit variance; it keeps Gibbs sampling from diverging."""
        scale = torch.ones(math.prod(self.shape), dtype=torch.float64, device=self.bias.device)
        return None if self.cap is not None else (scale, torch.ones_like(scale, dtype=torch.bool))

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        if self.cap is not None:
            return self.cap * weights.clamp_min(0).sum(0)
        return torch.where((weights > 0).any(0), math.inf, 0.0)

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "noise": self.noise, "cap": self.cap, "bias_shape": self.bias_shape}


def _standard(t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """z = t / s, clamped to the range in which floats distinguish the normal distribution from 0 and 1, and φ(z)."""
    z = (t / s).clamp(-40, 40)
    return z, torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)


def _rectified(t: Tensor, s: Tensor) -> Tensor:
    """E[max(0, t + s ε)], where ε is standard normal."""
    z, density = _standard(t, s)
    mean: Tensor = t * torch.special.ndtr(z) + s * density
    return mean.clamp_min(0)


def _rectified_variance(t: Tensor, s: Tensor) -> Tensor:
    """The variance of max(0, t + s ε), in a form whose terms are never much larger than the result."""
    z, density = _standard(t, s)
    on, off = torch.special.ndtr(z), torch.special.ndtr(-z)
    variance: Tensor = on + z.square() * on * off + z * density * (off - on) - density.square()
    return s.square() * variance.clamp_min(0)

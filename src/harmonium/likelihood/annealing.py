"""The path from a base-rate model to a machine, in both directions: shared by the annealing estimators (Neal 2001)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.check_machine import check_machine
from harmonium.models import RBM
from harmonium.notebook import as_html
from harmonium.progress_bar import shown
from harmonium.units import NOTHING, Given

BASE_SWEEPS = 50  # of Gibbs sampling for the default base rates: any base is valid, a closer one needs fewer betas


@dataclass(frozen=True)
class Estimate:
    """An estimate of log Z, in nats.

    Parameters
    ----------
    log_z : float
        The estimate.
    standard_error : float
        Standard error of log Z, by the delta method from the spread of the weights. It does not account for modes that no chain reached.
    ess : float
        Effective sample size of the weights, between 1 and the number of chains.
    log_weights : Tensor
        Logarithms of the importance weights, (chains,), float64.
    """

    _repr_html_ = as_html

    log_z: float
    standard_error: float
    ess: float
    log_weights: Tensor = field(repr=False)


class LogMean(NamedTuple):
    """The logarithm of the mean of exp(log_weights) over the last axis, its standard error and the effective sample size."""

    value: Tensor
    standard_error: Tensor
    ess: Tensor


def log_mean_exp(log_weights: Tensor) -> LogMean:
    """The `LogMean` of importance weights, (*leading, chains): three tensors of shape (*leading)."""
    chains, top = log_weights.shape[-1], log_weights.amax(-1, keepdim=True)
    weights = torch.exp(log_weights - top)
    mean = weights.mean(-1)
    error = weights.std(-1) / mean / math.sqrt(chains) if chains > 1 else torch.full_like(mean, math.inf)
    return LogMean(top.squeeze(-1) + mean.log(), error, weights.sum(-1).square() / weights.square().sum(-1))


def estimate(log_weights: Tensor, log_z_base: float) -> Estimate:
    """The estimate of log Z from log-weights (chains,), given the log Z of the base."""
    value, error, ess = (figure.item() for figure in log_mean_exp(log_weights))
    return Estimate(log_z_base + value, error, ess, log_weights)


def standard_schedule(betas: int) -> Tensor:
    """`betas` inverse temperatures from 0 to 1, (betas,), spaced as in Salakhutdinov & Murray (2008): 500 to 0.5, 4,000 to 0.9 and
    10,000 to 1 of each 14,500."""
    places = torch.linspace(0, 1, betas, dtype=torch.float64)
    knots = [(0.0, 0.0), (500 / 14500, 0.5), (4500 / 14500, 0.9), (1.0, 1.0)]
    path = torch.zeros_like(places)
    for (x0, y0), (x1, y1) in pairwise(knots):
        path = torch.where(places >= x0, y0 + (places - x0) * (y1 - y0) / (x1 - x0), path)
    return path.clamp(0, 1)


def sigmoid_schedule(betas: int) -> Tensor:
    """`betas` inverse temperatures from 0 to 1, (betas,), evenly along a logistic function from -4 to 4 (Grosse, Ghahramani & Adams 2015).

    This is the default: over nine machines it gives the largest effective sample sizes at equal cost (docs/benchmarks.md).
    """
    if betas < 2:
        return torch.zeros(betas, dtype=torch.float64)
    path = torch.sigmoid(torch.linspace(-4, 4, betas, dtype=torch.float64))
    return (path - path[0]) / (path[-1] - path[0])


def schedule(betas: int | Sequence[float]) -> list[float]:
    """The inverse temperatures of `betas`. Raises ValueError if they do not increase from 0 to 1."""
    path = sigmoid_schedule(max(betas, 0)) if isinstance(betas, int) else torch.tensor(betas, dtype=torch.float64)
    if len(path) < 2 or path[0] != 0 or path[-1] != 1 or not bool((path.diff() > 0).all()):
        ends = f" from {path[0]:g} to {path[-1]:g}" if len(path) else ""
        raise ValueError(f"betas must increase from 0 to 1, found {len(path)} of them{ends}")
    found: list[float] = path.tolist()
    return found


class Place(NamedTuple):
    """The current position of the chains: the statistic of their visible states, and the hidden input it produces at β = 1."""

    s_v: Tensor
    input: Tensor


@dataclass(frozen=True)
class Path:
    """Distributions p_β ∝ p*_β from a base-rate model of independent units, β = 0, to `model`, β = 1:

        p*_β(v) = exp(-visible.energy(v) + (1 - β) <s(v), base> + β · visible_alone(v) + hidden.log_partition(β · input(v)))

    The transition T_β(v' | v) = Σ_h p_β(v' | h) p_β(h | v) is reversible with respect to p_β: p_β(v) T_β(v' | v) =
    Σ_h p_β(v, h) p_β(v', h) / p_β(h) is symmetric in v and v'. So one sweep, hidden units first, serves both directions.

    `base` is the base's constant visible input, (*visible.statistic_shape). `log_z_base` is the sum of the log-partitions of its units.
    `given` is one case, without leading axes.
    """

    model: RBM
    base: Tensor
    betas: list[float]
    log_z_base: float
    given: Given = NOTHING

    def every(self, chains: int) -> Given:
        """`given`, repeated for each chain."""
        return _every(self.given, chains, self.base.device)

    def start(self, chains: int, generator: torch.Generator) -> Tensor:
        """Visible states of the base, (chains, *visible.shape)."""
        base = self.base.expand(chains, *self.base.shape)
        return self.model.visible.sample(base, generator=generator, given=self.every(chains))

    def _place(self, v: Tensor, given: Given) -> Place:
        s_v = self.model.visible.statistic(v, given)
        return Place(s_v, self.model.coupling.to_hidden(s_v, given))

    def _draw(self, at: Place, beta: float, other: float, generator: torch.Generator, given: Given) -> tuple[Tensor, Tensor]:
        """h ~ p_beta(h | v) at the chains' position, and log p*_other(v) - log p*_beta(v) there: (chains,), float64."""
        step = other - beta
        h, change = self.model.hidden.sample_and_change(at.input * beta, at.input * step, generator=generator)
        slope = self.model.coupling.visible_alone(at.s_v, given) - at.s_v.flatten(1) @ self.base.flatten()
        return h, change.double() + step * slope.double()

    def _down(self, h: Tensor, beta: float, generator: torch.Generator, given: Given) -> Place:
        """The position after drawing v ~ p_beta(v | h)."""
        visible, hidden, coupling = self.model.visible, self.model.hidden, self.model.coupling
        input = torch.add(self.base * (1 - beta), coupling.to_visible(hidden.statistic(h), given), alpha=beta)
        return self._place(visible.sample(input, generator=generator, given=given), given)

    def forward(self, v: Tensor, generator: torch.Generator, *, progress: bool = False) -> Tensor:
        """Σ_k log p*_k(v_{k-1}) - log p*_{k-1}(v_{k-1}) of chains from v_0 = v, (chains, *visible.shape), with v_k ~ T_k(. | v_{k-1}).

        Returns (chains,), float64. If v are exact samples of the base, the mean of its exp is Z / Z_base.
        """
        given = self.every(len(v))
        at, total = self._place(v, given), torch.zeros(len(v), dtype=torch.float64, device=v.device)
        for below, beta in shown(list(pairwise(self.betas)), "annealing", progress):
            h, fall = self._draw(at, beta, below, generator, given)
            total -= fall
            at = self._down(h, beta, generator, given)
        return total

    def backward(self, v: Tensor, generator: torch.Generator, *, progress: bool = False) -> Tensor:
        """The same sum along chains in the opposite direction, from v_K = v with v_{k-1} ~ T_k(. | v_k): (chains,), float64.

        If v are exact samples of the model, the mean of exp(-sum) is Z_base / Z.
        """
        given = self.every(len(v))
        at, total = self._place(v, given), torch.zeros(len(v), dtype=torch.float64, device=v.device)
        h = self.model.hidden.sample(at.input, generator=generator)
        for beta, below in shown(list(pairwise(reversed(self.betas))), "annealing backwards", progress):
            at = self._down(h, beta, generator, given)
            h, rise = self._draw(at, below, beta, generator, given)
            total += rise
        return total


def make_path(
    model: RBM,
    betas: int | Sequence[float],
    base_rates: Tensor | None,
    *,
    chains: int,
    generator: torch.Generator,
    given: Given = NOTHING,
) -> Path:
    """The path from a base with these visible means, by default those of a short Gibbs run of `chains` chains of the model itself.

    Raises ValueError for a schedule that does not increase from 0 to 1, or for a machine without a partition function; TypeError for other
    models, and where a layer has no energy.
    """
    check_machine(model, "annealing")
    model.check_normalisable(given)
    steps = schedule(betas)
    visible, hidden = model.visible, model.hidden
    blank = visible.zero_input(chains)
    if base_rates is None:
        every = _every(given, chains, blank.device)
        v = model.gibbs(visible.sample(blank, generator=generator, given=every), steps=BASE_SWEEPS, generator=generator, given=every)
        base_rates = model.visible_mean(model.hidden_mean(v, every), every).mean(0)
    base = visible.base_input(base_rates.to(blank))
    log_z_base = (visible.log_partition(base.double(), given) + hidden.log_partition(hidden.zero_input().double())).item()
    return Path(model, base, steps, log_z_base, given)


def _every(given: Given, chains: int, device: torch.device) -> Given:
    return given.to(device).expand(chains)


def warn_of_few(name: str, ess: float, chains: int, betas: int, consequence: str, called: str = "betas") -> None:
    """Warn if the effective sample size is below a tenth of the chains. Call it from a decorated function."""
    if ess < chains / 10:
        warnings.warn(
            f"{name}: the effective sample size is {ess:.1f} of {chains} chains, so {consequence}; "
            f"use more than the present {betas} {called}",
            stacklevel=4,  # past the decorator, to the caller
        )

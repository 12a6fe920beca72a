"""Factorial distributions of a sigmoid belief net's hidden units, and their lower bounds on log p(v)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import softplus

from harmonium.models.belief_posterior import mean_given
from harmonium.models.directed import Directed
from harmonium.models.enumerate_states import enumerate_states
from harmonium.units import Bernoulli, Unit

MOST_PARENTS = 2**12


@dataclass(frozen=True)
class BeliefMeanField:
    """A factorial distribution q(h1, ..., hL) for each case. Each hidden unit has its own probability of being on.

    `SigmoidBeliefNet.mean_field` makes it.

    Attributes
    ----------
    v : Tensor
        (cases, units), the data.
    means : list of Tensor
        (cases, units) for each hidden layer, the probabilities.
    slopes : list of Tensor or None
        (cases, units), ξ of each layer that has parents. None unless the bound is the quadratic one.
    bound : Tensor
        (cases,) float64, the lower bound on log p(v) at the parameters of that time, in nats.
    change : float
        The largest change of a probability in the last sweep.
    sweeps : int
        Number of sweeps.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.SigmoidBeliefNet([hm.Bernoulli(4), hm.Bernoulli(3), hm.Bernoulli(2)])
    >>> found = net.mean_field(torch.ones(5, 4))
    >>> [tuple(mean.shape) for mean in found.means]
    [(5, 3), (5, 2)]
    """

    v: Tensor = field(repr=False)
    means: list[Tensor] = field(repr=False)
    slopes: list[Tensor] | None = field(repr=False)
    bound: Tensor
    change: float
    sweeps: int

    def pairs(self, level: int, layers: Sequence[Bernoulli], weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """As `BeliefPosterior.pairs`."""
        states = every_parent(layers[level + 1])
        weighted = probabilities(self.means[level], states)
        weighted = weighted if weights is None else weighted * weights[:, None]
        return mean_given(weighted, [self.v, *self.means][level]), states, weighted.sum(0)


class Softplus(ABC):
    """E_q[Σ_i log(1 + e^x_i)] over a layer's inputs x, or an upper bound on it, as a function of the parents' means.

    It is linear in each parent's mean, because it is a sum over the states of a factorial q. So the best mean has a closed form.
    """

    @abstractmethod
    def total(self, means: Tensor) -> Tensor:
        """The value: (cases,). `means`: (cases, parents)."""

    @abstractmethod
    def change(self, means: Tensor, parent: int) -> Tensor:
        """The value with this parent surely on, minus that with it surely off: (cases,)."""

    @abstractmethod
    def refresh(self, means: Tensor) -> None:
        """Makes an upper bound as tight as possible at these means."""


class Listed(Softplus):
    """The exact value, by enumeration of the parents' states."""

    def __init__(self, layer: Directed) -> None:
        self.states = every_parent(layer.neighbour)
        self.sums = softplus(_input(layer, self.states)).sum(-1)

    def total(self, means: Tensor) -> Tensor:
        return probabilities(means, self.states) @ self.sums

    def change(self, means: Tensor, parent: int) -> Tensor:
        others = [unit for unit in range(means.shape[-1]) if unit != parent]
        signed = (2 * self.states[:, parent] - 1) * self.sums
        return probabilities(means[:, others], self.states[:, others]) @ signed

    def refresh(self, means: Tensor) -> None:
        """Does nothing: the value is exact for any means."""


class Quadratic(Softplus):
    """The bound of Jaakkola & Jordan: log(1 + e^x) <= x/2 + log 2cosh(ξ/2) + λ(ξ) (x² - ξ²), with equality at x = ±ξ."""

    def __init__(self, layer: Directed, slopes: Tensor | None = None) -> None:
        self.layer, self.slopes = layer, torch.empty(0) if slopes is None else slopes
        eye = torch.eye(layer.neighbour.shape[0]).to(layer.neighbour.zero_input())
        self.weight = layer.coupling.to_visible(eye)  # (parents, units)

    def moments(self, means: Tensor) -> tuple[Tensor, Tensor]:
        """E[x] and E[x²] of each input: (cases, units) each."""
        mean = _input(self.layer, means)
        return mean, mean.square() + (means * (1 - means)) @ self.weight.square()

    def total(self, means: Tensor) -> Tensor:
        mean, square = self.moments(means)
        half = self.slopes / 2
        log_2cosh = half + softplus(-2 * half)
        return (mean / 2 + log_2cosh + _curvature(self.slopes) * (square - self.slopes.square())).sum(-1)

    def change(self, means: Tensor, parent: int) -> Tensor:
        weight = self.weight[parent]
        off = _input(self.layer, means) - means[:, parent, None] * weight
        return (weight / 2 + _curvature(self.slopes) * weight * (2 * off + weight)).sum(-1)

    def refresh(self, means: Tensor) -> None:
        self.slopes = self.moments(means)[1].sqrt()


def _curvature(slopes: Tensor) -> Tensor:
    """λ(ξ) = tanh(ξ/2) / 4ξ, which is 1/8 at zero."""
    small = slopes < 1e-3
    safe = torch.where(small, 1.0, slopes)
    return torch.where(small, 1 / 8 - slopes.square() / 96, torch.tanh(safe / 2) / (4 * safe))


def _input(layer: Directed, parents: Tensor) -> Tensor:
    """The total input of a layer's units, own biases included."""
    assert isinstance(layer.unit, Bernoulli)
    return layer.input(parents) + layer.unit.bias


def every_parent(unit: Unit) -> Tensor:
    """All states of a layer of parents, (states, units). Raises a ValueError for more than 2^12."""
    return enumerate_states(unit, MOST_PARENTS, "mean field with exact expectations (without quadratic=True)")


def probabilities(means: Tensor, states: Tensor) -> Tensor:
    """q of each state: (cases, states). `means`: (cases, units), the probabilities of the units. `states`: (states, units)."""
    tiny = torch.finfo(means.dtype).tiny  # log 0 times 0 would be NaN
    on, off = means.clamp_min(tiny).log(), (1 - means).clamp_min(tiny).log()
    return (on @ states.T + off @ (1 - states).T).exp()


def begin(layers: Sequence[Bernoulli], cases: int) -> list[Tensor]:
    """The initial means of the hidden layers, from their own biases: (cases, units) each."""
    return [unit.mean(unit.zero_input(cases)).detach() for unit in layers[1:]]


def settle(
    directed: Sequence[Directed],
    top: Bernoulli,
    v: Tensor,
    means: list[Tensor],
    *,
    quadratic: bool,
    sweeps: int,
    tolerance: float | None,
) -> BeliefMeanField:
    """Coordinate ascent on the bound: it sets one hidden unit's mean at a time, and tightens the softplus bound after each layer."""
    parts: list[Softplus] = [Quadratic(layer) if quadratic else Listed(layer) for layer in directed]
    weights = [layer.coupling.matrix() for layer in directed]
    for part, mean in zip(parts, means, strict=True):
        part.refresh(mean)
    change, done = math.inf, 0
    while done < sweeps and not (tolerance is not None and change <= tolerance):
        done += 1
        before = [mean.clone() for mean in means]
        for level, mean in enumerate(means):
            below = v if level == 0 else means[level - 1]
            own = top.bias.expand_as(mean) if level == len(means) - 1 else _input(directed[level + 1], means[level + 1])
            part, met = parts[level], below @ weights[level]
            for unit in range(mean.shape[-1]):
                mean[:, unit] = torch.sigmoid(own[:, unit] + met[:, unit] - part.change(mean, unit))
            part.refresh(mean)
        change = max((mean - old).abs().max().item() for mean, old in zip(means, before, strict=True))
    slopes = [part.slopes for part in parts if isinstance(part, Quadratic)] if quadratic else None
    value = _bound(directed, top, v, means, parts)
    return BeliefMeanField(v, means, slopes, value, change, done)


def bound_of(directed: Sequence[Directed], top: Bernoulli, found: BeliefMeanField) -> Tensor:
    """The bound that this q gives at the present parameters: (cases,)."""
    slopes = [None] * len(directed) if found.slopes is None else found.slopes
    parts: list[Softplus] = [
        Listed(layer) if ours is None else Quadratic(layer, ours) for layer, ours in zip(directed, slopes, strict=True)
    ]
    return _bound(directed, top, found.v, found.means, parts)


def _bound(directed: Sequence[Directed], top: Bernoulli, v: Tensor, means: Sequence[Tensor], parts: Sequence[Softplus]) -> Tensor:
    """E_q[log p] + H(q), where the layers' terms E[s_i x_i - log(1 + e^x_i)] are summed: (cases,), float64."""
    total = (means[-1] * top.bias).sum(-1).double() - top.log_partition(top.zero_input()).double()
    for layer, part, below, above in zip(directed, parts, [v, *means], means, strict=False):
        total = total + (below * _input(layer, above)).sum(-1).double() - part.total(above).double()
    for mean in means:
        total = total + (torch.special.entr(mean) + torch.special.entr(1 - mean)).sum(-1).double()
    return total

"""The exact posterior of a sigmoid belief net that is small enough to enumerate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harmonium.models.directed import Directed
from harmonium.units import Bernoulli

MOST_STATES = 2**16
MOST_NUMBERS = 2**26
BLOCK = 2**22  # numbers per block of work


@dataclass(frozen=True)
class BeliefPosterior:
    """p(h1, ..., hL | v) over all joint states of the hidden layers. `SigmoidBeliefNet.posterior` makes it.

    Attributes
    ----------
    v : Tensor
        (cases, units), the data.
    states : list of Tensor
        (states, units) for each hidden layer. The joint states have the same order in each.
    probability : Tensor
        (cases, states) float64.
    log_likelihood : Tensor
        (cases,) float64, log p(v) in nats.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.SigmoidBeliefNet([hm.Bernoulli(4), hm.Bernoulli(3), hm.Bernoulli(2)])
    >>> found = net.posterior(torch.ones(5, 4))
    >>> tuple(found.probability.shape), [tuple(mean.shape) for mean in found.means]
    ((5, 32), [(5, 3), (5, 2)])
    """

    v: Tensor = field(repr=False)
    states: list[Tensor] = field(repr=False)
    probability: Tensor = field(repr=False)
    log_likelihood: Tensor

    @property
    def means(self) -> list[Tensor]:
        """E[h_l | v] of each hidden layer: (cases, units) each."""
        return [self.probability.to(layer) @ layer for layer in self.states]

    def pairs(self, level: int, layers: Sequence[Bernoulli], weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The statistics that the learning rule of one directed layer needs.

        Parameters
        ----------
        level : int
            The directed layer, 0 for the one that generates the data.
        layers : sequence of Bernoulli
            The net's layers. The posterior does not use them.
        weights : Tensor or None
            (cases,), one per case by default.

        Returns
        -------
        below : Tensor
            (states, units), the mean of the lower layer's states given each state above.
        above : Tensor
            (states, units), the states above.
        shares : Tensor
            (states,), the total weight of each state above, over all cases.
        """
        weighted = self.probability if weights is None else self.probability * weights[:, None]
        total = weighted.sum(0)
        if level:
            return self.states[level - 1], self.states[level], total.to(self.v)
        return mean_given(weighted, self.v), self.states[0], total.to(self.v)


def mean_given(weighted: Tensor, below: Tensor) -> Tensor:
    """Σ_n weighted[n, s] below[n] / Σ_n weighted[n, s] for each state s: (states, units). It is zero where no case has weight."""
    weighted = weighted.to(below)
    total = weighted.sum(0)[:, None]
    return torch.where(total == 0, 0.0, weighted.T @ below / torch.where(total == 0, 1.0, total))


def list_posterior(directed: Sequence[Directed], top: Bernoulli, v: Tensor) -> BeliefPosterior:
    """The posterior, from the joint probability of each case with every hidden state. Raises a ValueError for too many states."""
    units = [*(layer.unit for layer in directed[1:]), top]
    sizes = [unit.shape[0] for unit in units]
    count = 2 ** sum(sizes)
    if count > MOST_STATES or count * len(v) > MOST_NUMBERS:
        raise ValueError(
            f"the exact posterior enumerates all hidden states, at most 2^{math.log2(MOST_STATES):.0f} of them, and at most "
            f"2^{math.log2(MOST_NUMBERS):.0f} numbers in all: found {sum(sizes)} hidden units and {len(v)} cases; take fewer cases at "
            "once, sample the posterior with `gibbs`, or bound log p(v) with `mean_field`"
        )
    numbers = torch.arange(count, device=v.device)
    states = []
    for unit, size in zip(units, sizes, strict=True):
        states.append(unit.states(numbers % 2**size))
        numbers = numbers // 2**size
    prior = top.log_probability(states[-1], top.zero_input())
    for layer, below, above in zip(directed[1:], states, states[1:], strict=False):
        prior = prior + layer.log_probability(below, above)
    # The data depend on the first hidden layer alone. Its states repeat for each state of the layers above.
    first, repeats = states[0][: 2 ** sizes[0]], count // 2 ** sizes[0]
    rows = max(1, BLOCK // (len(first) * v.shape[-1]))
    given_first = torch.cat([directed[0].log_probability(block[:, None], first) for block in torch.split(v, rows)])
    joint = given_first.repeat(1, repeats) + prior
    log_likelihood = joint.logsumexp(1)
    return BeliefPosterior(v, states, (joint - log_likelihood[:, None]).exp(), log_likelihood)

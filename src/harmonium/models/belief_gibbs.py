"""Sequential Gibbs sampling of a sigmoid belief net's hidden units, given the data (Neal 1992)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from harmonium.models.directed import Directed
from harmonium.units import Bernoulli
from harmonium.units.uniform import uniform


def sample_hidden(
    directed: Sequence[Directed], top: Bernoulli, states: Sequence[Tensor], steps: int, generator: torch.Generator
) -> list[Tensor]:
    """Sweeps over all hidden units, each in turn drawn given all others, in place: the hidden layers' states.

    `states`: (cases, units) of each layer, from the data upwards; the data stay. The log-odds of a unit are its own input, plus the gain in
    log p(s_i | parents) of each of its children i (equation 9).
    """
    biases = [*(layer.unit.get_parameter("bias") for layer in directed), top.bias]
    weights = [layer.coupling.matrix().T for layer in directed]
    for level in [*range(1, len(states))] * steps:
        below, parents = states[level - 1], states[level]
        own = top.zero_input(len(below)) if level == len(directed) else directed[level].input(states[level + 1])
        own = own + biases[level]
        total = directed[level - 1].input(parents) + biases[level - 1]
        u = uniform(parents.shape, parents, generator)
        for unit, weight in enumerate(weights[level - 1]):
            off = total - parents[:, unit, None] * weight
            on = off + weight
            log_odds = own[:, unit] + below @ weight - (softplus(on) - softplus(off)).sum(-1)
            parents[:, unit] = (u[:, unit] < torch.sigmoid(log_odds)).to(parents.dtype)
            total = torch.where(parents[:, unit, None] > 0, on, off)
    return list(states[1:])

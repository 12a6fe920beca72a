"""Gibbs sampling of a community's experts, given the data: each gate and its linear unit together, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import softplus

from harmonium.models.community_states import CommunityStates
from harmonium.units.uniform import uniform

if TYPE_CHECKING:
    from harmonium.models.community import CommunityOfExperts


def sweep(net: CommunityOfExperts, v: Tensor, hidden: CommunityStates, generator: torch.Generator) -> None:
    """Draws every expert given all others, from the data upwards, in place.

    An expert that is on adds y w to the layer below. With the residual r of that layer without it, its log-likelihood is y B - y² A / 2,
    where A = Σ w² / σ² and B = Σ w r / σ². The prior of y is N(m, 1). So, with y integrated out, the log-odds of the gate gain
    (m + B)² / 2 (1 + A) - m² / 2 - ½ log(1 + A). Then y is N((m + B) / (1 + A), 1 / (1 + A)) if the gate is on, and N(m, 1) if not.
    """
    linear, gates = net.linear_layers(), net.gate_layers()
    top = len(hidden.gates) - 1
    for level, (s, y) in enumerate(zip(hidden.gates, hidden.linear, strict=True)):
        layer, below = linear[level], v if level == 0 else hidden.linear[level - 1]
        means = net.top_linear.mean(net.top_linear.zero_input(len(s))) if level == top else linear[level + 1](outputs(hidden, level + 1))
        own = net.top_gates.zero_input(len(s)) if level == top else gates[level].input(hidden.gates[level + 1])
        own = own + (net.top_gates if level == top else gates[level].unit).get_parameter("bias")
        weight = layer.coupling.matrix()
        scaled = weight / layer.unit.variance(layer.unit.zero_input())[:, None]
        products = weight.T @ scaled  # the A of each expert are its diagonal
        unexplained = (below - layer(s * y)) @ scaled
        a = products.diagonal()
        shrink, offset = 1 / (1 + a), torch.log1p(a) / 2
        u = uniform(s.shape, s, generator)
        noise = torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)
        for unit in range(s.shape[1]):
            before, m = s[:, unit] * y[:, unit], means[:, unit]
            centre = m + unexplained[:, unit] + before * a[unit]
            log_odds = own[:, unit] + (centre.square() * shrink[unit] - m.square()) / 2 - offset[unit]
            log_odds = log_odds + children(net, hidden, level, unit) if level else log_odds
            on = u[:, unit] < torch.sigmoid(log_odds)
            y[:, unit] = torch.where(on, centre * shrink[unit] + noise[:, unit] * shrink[unit].sqrt(), m + noise[:, unit])
            s[:, unit] = on.to(s.dtype)
            unexplained.sub_(torch.outer(s[:, unit] * y[:, unit] - before, products[unit]))


def outputs(hidden: CommunityStates, level: int) -> Tensor:
    """What the experts of a hidden layer send down: (cases, units)."""
    return hidden.gates[level] * hidden.linear[level]


def children(net: CommunityOfExperts, hidden: CommunityStates, level: int, unit: int) -> Tensor:
    """What the gates of the layer below add to the log-odds of a gate: (cases,)."""
    layer = net.gate_layers()[level - 1]
    weight, s = layer.coupling.matrix()[:, unit], hidden.gates[level]
    off = layer.input(s) + layer.unit.get_parameter("bias") - s[:, unit, None] * weight
    return hidden.gates[level - 1] @ weight - (softplus(off + weight) - softplus(off)).sum(-1)

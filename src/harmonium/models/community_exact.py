"""The exact likelihood of a community of experts that has few gates."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from harmonium.models.community import CommunityOfExperts

MOST_GATES = 16
BLOCK = 2**22  # numbers processed together


def log_likelihood(net: CommunityOfExperts, v: Tensor) -> Tensor:
    """log p(v) = log Σ_s p(s) N(v; μ_s, C_s): (cases,) float64."""
    count, size = sum(net.hidden), v.shape[-1]
    if count > MOST_GATES:
        raise ValueError(f"the likelihood of a community of experts enumerates its gates, at most {MOST_GATES}, found {count}")
    blocks = torch.split(torch.arange(2**count, device=v.device), max(1, BLOCK // (size * max(size, len(v)))))
    return torch.stack([_log_sum(net, v.double(), numbers) for numbers in blocks]).logsumexp(0)


def _log_sum(net: CommunityOfExperts, v: Tensor, numbers: Tensor) -> Tensor:
    """log of the sum over the states of the gates with these numbers: (cases,)."""
    bits = (numbers[:, None] >> torch.arange(sum(net.hidden), device=v.device)) & 1
    gates = list(torch.split(bits.to(net.visible.zero_input()), net.hidden, dim=1))
    log_share = net.top_gates.log_probability(gates[-1], net.top_gates.zero_input())
    for layer, (below, above) in zip(net.gate_layers(), pairwise(gates), strict=True):
        log_share = log_share + layer.log_probability(below, above)
    mean, covariance = moments(net, gates)
    factor = torch.linalg.cholesky(covariance)
    away = torch.linalg.solve_triangular(factor, (v - mean[:, None]).mT, upper=False)  # (states, visible, cases)
    log_volume = factor.diagonal(dim1=1, dim2=2).log().sum(1) + 0.5 * v.shape[-1] * math.log(2 * math.pi)
    terms: Tensor = (log_share - log_volume)[:, None] - 0.5 * away.square().sum(1)
    return terms.logsumexp(0)


def moments(net: CommunityOfExperts, gates: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the data given the gates, (states, units) for each hidden layer.

    From the top downwards: what a layer sends is s y, and the layer below is b + W s y, plus noise. (states, visible) and (states, visible,
    visible).
    """
    top = net.top_linear
    mean = top.mean(top.zero_input(len(gates[0]))).double()
    covariance = torch.diag_embed(top.variance(top.zero_input(len(gates[0]))).double())
    for layer, gate in zip(reversed(net.linear_layers()), reversed(gates), strict=True):
        weight = layer.coupling.get_parameter("weight").double() * gate.double()[:, None]
        mean = layer.unit.get_parameter("bias").double() + (weight @ mean[..., None])[..., 0]
        noise = layer.unit.variance(layer.unit.zero_input()).double()
        covariance = weight @ covariance @ weight.mT + torch.diag(noise)
    return mean, covariance

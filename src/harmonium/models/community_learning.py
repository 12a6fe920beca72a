"""The delta rule for a community of experts, from brief Gibbs sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from harmonium.models.community_states import CommunityStates
from harmonium.seeds import fresh_generator

if TYPE_CHECKING:
    from harmonium.models.community import CommunityOfExperts

GATES = 5.0  # times the rate of the linear units: the differences that gates learn from are those of probabilities
LEAST = 1e-4  # share of the data's variance below which no visible variance falls


class Schedule(NamedTuple):
    """How long a community learns, and how fast: the settings of `CommunityOfExperts.fit`."""

    epochs: int
    batch_size: int
    sweeps: int
    rate: float


def learn(net: CommunityOfExperts, rows: Tensor, schedule: Schedule, seed: int) -> Tensor:
    """Changes the parameters. Returns the mean of log p(v, s, y) in each epoch, (epochs,) float64."""
    generator = fresh_generator(rows, seed)
    hidden = net.sample(len(rows), generator=generator)[1]
    floor = (LEAST * rows.var(0, correction=0)).clamp_min(torch.finfo(rows.dtype).tiny).log()
    history: list[Tensor] = []
    for epoch in range(schedule.epochs):
        total = rows.new_zeros((), dtype=torch.float64)
        for cases in torch.split(torch.randperm(len(rows), generator=generator, device=rows.device), schedule.batch_size):
            v, states = rows[cases], CommunityStates(*([each[cases] for each in part] for part in hidden))
            states = net.gibbs(v, states, steps=schedule.sweeps, generator=generator)
            for kept, part in zip(hidden, states, strict=True):
                for each, drawn in zip(kept, part, strict=True):
                    each[cases] = drawn
            total += net.accumulate_gradient(v, states, scale=1 / len(cases), fresh=True).sum()
            _step(net, schedule.rate, epoch / schedule.epochs, floor)
        history.append(total / len(rows))
    return torch.stack(history) if history else torch.zeros(0, dtype=torch.float64)


@torch.no_grad()
def _step(net: CommunityOfExperts, rate: float, passed: float, floor: Tensor) -> None:
    """One step down the gradient, in the data's own units: that of the visible means has a factor σ², that of log σ² a factor 2.

    `passed`: the share of the epochs that is over.
    """
    log_variance = net.visible.get_parameter("log_variance")
    variance = log_variance.exp()
    scales: dict[Tensor, Tensor | float] = {
        net.visible.get_parameter("bias"): variance,
        net.linear_layers()[0].coupling.get_parameter("weight"): variance[:, None],
        log_variance: 2.0,
    }
    gates = {*net.top_gates.parameters(), *net.selection.parameters()}
    for parameter in net.parameters():
        if parameter.grad is not None:
            share = GATES * passed**2 if parameter in gates else 1 - passed
            parameter.sub_(rate * share * scales.get(parameter, 1.0) * parameter.grad)
    log_variance.copy_(log_variance.maximum(floor))

"""The state of each unit that stands for a distribution of which the mean is known."""

from __future__ import annotations

import math
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.units import Bernoulli, Binomial, Groups, Poisson, ReplicatedSoftmax, Softmax, Spin, SteppedSigmoid, Unit

Best = tuple[Tensor, Tensor]


@singledispatch
def best_states(unit: Unit, mean: Tensor) -> Best:
    """A state for each mean, and the state's probability where the mean tells it, else NaN: each (*leading, *shape).

    It is the most probable state of binary and one-of-k units, the nearest count of counting units, and the mean of real-valued ones. The
    probability of a one-of-k group stands at each of its units. Raises a TypeError for other discrete units.
    """
    if math.isinf(unit.count):
        return mean, torch.full_like(mean, math.nan)
    raise TypeError(f"no rule makes a state of a mean of {type(unit).__name__} units: take draws, with hm.sampling.complete")


@best_states.register
def _of_groups(unit: Groups, mean: Tensor) -> Best:
    found = [best_states(part, x) for part, x in zip(unit.layers(), unit.split(mean), strict=True)]
    return torch.cat([state for state, _ in found], dim=-1), torch.cat([probability for _, probability in found], dim=-1)


@best_states.register
def _of_softmax(unit: Softmax, mean: Tensor) -> Best:
    highest = unit.grouped(mean).max(-1)
    state = F.one_hot(highest.indices, unit.categories).flatten(-2).to(mean)
    return state, highest.values.repeat_interleave(unit.categories, -1)


@best_states.register
def _of_binary(unit: Bernoulli, mean: Tensor) -> Best:
    return (mean > 0.5).to(mean), torch.maximum(mean, 1 - mean)


@best_states.register
def _of_spins(unit: Spin, mean: Tensor) -> Best:
    return torch.where(mean > 0, 1.0, -1.0).to(mean), 0.5 + 0.5 * mean.abs()


@best_states.register(Binomial)
@best_states.register(SteppedSigmoid)
@best_states.register(Poisson)
@best_states.register(ReplicatedSoftmax)
def _nearest(unit: Unit, mean: Tensor) -> Best:
    return mean.round(), torch.full_like(mean, math.nan)

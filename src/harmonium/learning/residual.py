"""What a machine leaves of the data for one more hidden unit: its distribution enumerated, or as particles."""

from __future__ import annotations

import copy
import math
from typing import Protocol

import torch
from torch import Tensor

from harmonium.likelihood.exact_log_z import Listing, listing
from harmonium.models import RBM
from harmonium.units import NOTHING

MOST_NUMBERS = 2**22  # states times units of the larger layer
SWEEPS = 10


class View(Protocol):
    """How the distribution of a machine is known."""

    rounds: int  # of looking at the machine and climbing
    iterations: int  # of an ascent
    price: float  # of a squared change of a parameter in an ascent, in half nats

    def look(self, model: RBM) -> None:
        """Take the distribution of this machine as the present one."""

    def covariance(self) -> Tensor:
        """Of the visible units: (visible, visible)."""

    def log_z(self, model: RBM) -> Tensor:
        """log Z of a machine, in nats, up to a constant; differentiable."""

    def trusted(self, model: RBM) -> RBM:
        """The machine, or one between the present one and it, for which `log_z` can be trusted."""


def is_small(model: RBM) -> bool:
    """Whether the smaller side of the machine can be enumerated."""
    return min(model.hidden.count, model.visible.count) * max(model.hidden.shape[0], model.visible.shape[0]) <= MOST_NUMBERS


class Enumerated:
    """The distribution by the states of the machine's smaller side: nothing is drawn."""

    rounds, iterations, price = 1, 100, 0.0

    def look(self, model: RBM) -> None:
        self.model = model

    @torch.no_grad()
    def covariance(self) -> Tensor:
        model, listed = self.model, _listing(self.model)
        numbers = torch.arange(listed.count, device=model.visible.zero_input().device)
        p, states = listed.log_terms(numbers).softmax(0), listed.states(numbers)
        inputs = model.visible_input(states) if listed.hidden else None
        means = states if inputs is None else model.visible.mean(inputs)
        within = torch.zeros_like(means) if inputs is None else model.visible.variance(inputs)
        return torch.cov(means.T, aweights=p, correction=0) + torch.diag(p @ within)

    def log_z(self, model: RBM) -> Tensor:
        listed = _listing(model)
        return listed.log_terms(torch.arange(listed.count, device=model.visible.zero_input().device)).logsumexp(0)

    def trusted(self, model: RBM) -> RBM:
        return model


class Particles:
    """The distribution by samples, which Gibbs sampling moves and importance weights turn into those of machines nearby.

    Parameters
    ----------
    v : Tensor
        (particles, visible), where the chains start.
    generator : torch.Generator
        The source of all draws.
    """

    rounds, iterations = 20, 20
    price = 0.03  # where no sample is near the data, nothing else would end an ascent

    def __init__(self, v: Tensor, generator: torch.Generator) -> None:
        self.v, self.generator = v, generator

    @torch.no_grad()
    def look(self, model: RBM) -> None:
        self.model = model
        self.v = model.gibbs(self.v, steps=SWEEPS, generator=self.generator)
        self.free_energy = model.free_energy(self.v)

    def covariance(self) -> Tensor:
        return torch.cov(self.v.T, correction=0)

    def log_z(self, model: RBM) -> Tensor:
        return self._log_weights(model).logsumexp(0) - math.log(len(self.v))

    @torch.no_grad()
    def trusted(self, model: RBM) -> RBM:
        """The machine nearest to `model` on the way to it, halved again and again, with an effective sample size of half the particles."""
        model = copy.deepcopy(model)
        while 1 / self._log_weights(model).softmax(0).square().sum() < len(self.v) / 2:
            for mine, present in zip(model.parameters(), self.model.parameters(), strict=True):
                mine.lerp_(present, 0.5)
        return model

    def _log_weights(self, model: RBM) -> Tensor:
        return self.free_energy - model.free_energy(self.v)


def _listing(model: RBM) -> Listing:
    """The smaller side's states."""
    listed = listing(model, NOTHING)
    assert listed is not None
    return listed

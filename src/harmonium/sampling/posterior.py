"""The posterior of missing values, from clamped chains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.models import RBM
from harmonium.sampling.best_states import best_states
from harmonium.sampling.clamped import init
from harmonium.sampling.gibbs import step
from harmonium.sampling.imputation import Imputation
from harmonium.units import Binomial, Given, SteppedSigmoid, Unit
from harmonium.units.groups import leaves


@dataclass(frozen=True)
class Effort:
    """Chains of each row, their sweeps, and over how many of the last ones moments are averaged. ValueError if there is nothing to do."""

    chains: int
    steps: int
    average: int

    def __post_init__(self) -> None:
        if self.chains < 1 or not 1 <= self.average <= self.steps:
            raise ValueError(
                "gaps take at least one chain and one sweep, and an average over at most all sweeps, found "
                f"chains={self.chains}, steps={self.steps}, average={self.average}"
            )


def posterior(model: RBM, v: Tensor, missing: Tensor, effort: Effort, *, generator: torch.Generator, given: Given) -> Imputation:
    """Moments of p(v_missing | v_observed).

    Given h the moments of v are known: E[v | h] and E[v² | h] = Var[v | h] + E[v | h]² are averaged, not draws.

    Parameters
    ----------
    model : RBM
        The machine.
    v : Tensor
        (cases, *visible.shape), with valid states in the gaps.
    missing : Tensor
        (cases, *visible.shape), true where a value is missing.
    effort : Effort
        Chains, sweeps, and how many of them are averaged over.
    generator : torch.Generator
        The source of all draws.
    given : Given
        What is given of each case.
    """
    visible = model.visible
    chains, steps, average = effort.chains, effort.steps, effort.average
    side = given.expand(chains)
    state = init(model, v.expand(chains, *v.shape), missing.expand(chains, *v.shape), generator=generator, given=side)
    first = torch.zeros(state.v.shape, dtype=torch.float64, device=v.device)
    second = first.new_zeros(v.shape)
    listed = [(slice(start, stop), leaf) for start, stop, leaf in leaves(visible) if _listable(leaf)]
    levels: list[Tensor | float] = [0.0 for _ in listed]
    for sweep in range(steps):
        state, info = step(model, state, generator=generator)
        if sweep < steps - average:
            continue
        input, mean = model.visible_input(info.h, side), info.visible_mean.double()
        first += mean
        second += (visible.variance(input, side).double() + mean.square()).mean(0)
        for place, (units, leaf) in enumerate(listed):
            levels[place] = levels[place] + _levels(leaf, input.flatten(2)[..., units].double()).mean(1)
    mean, second = first.mean(0) / average, second / average
    rows, probability = best_states(visible, mean)
    for (units, _), each in zip(listed, levels, strict=True):
        assert isinstance(each, Tensor)
        best = (each / average).max(0)
        rows.flatten(1)[:, units], probability.flatten(1)[:, units] = best.indices.to(rows), best.values
    spread = (second - mean.square()).clamp_min(0).sqrt()
    error = (first / average).std(0) / math.sqrt(chains) if chains > 1 else torch.full_like(mean, math.nan)
    nothing = torch.zeros_like(mean)

    def at_gaps(found: Tensor, known: Tensor) -> Tensor:
        return torch.where(missing, found, known.to(found)).to(v)

    moments = at_gaps(mean, v), at_gaps(spread, nothing), at_gaps(error, nothing)
    return Imputation(at_gaps(rows, v), *moments, at_gaps(probability, nothing + 1), state.v, missing)


def _listable(unit: Unit) -> bool:
    """Whether a layer's counts end, so that the most probable one is found from a list."""
    return isinstance(unit, Binomial | SteppedSigmoid) and unit.copies is not None


def _levels(unit: Unit, input: Tensor) -> Tensor:
    """The probability of each count, (counts, chains, cases, units), given the input, (chains, cases, units)."""
    counts = torch.arange(int(unit.copies) + 1).to(unit.zero_input())  # type: ignore[arg-type]
    energy = unit.energy_terms(counts.reshape(-1, *[1] * len(unit.shape)).expand(-1, *unit.shape)).flatten(1).double()
    return torch.softmax(counts.double()[:, None, None, None] * input - energy[:, None, None], dim=0)

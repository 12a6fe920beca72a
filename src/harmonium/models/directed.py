"""One layer that depends on its neighbour one way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling
from harmonium.units import Given, Unit


class Directed(nn.Module):
    """A layer of units that depends on its neighbour one way: p(unit | neighbour) through a coupling.

    `upward`: whether the neighbour is the coupling's visible side (recognition), or its hidden side (generation).
    """

    def __init__(self, unit: Unit, coupling: Coupling, neighbour: Unit, *, upward: bool) -> None:
        super().__init__()
        self.unit, self.coupling, self.upward = unit, coupling, upward
        self.neighbour = neighbour

    def input(self, states: Tensor, given: Given | None = None) -> Tensor:
        """The unit's input from the neighbour's states."""
        if not self.upward:
            return self.coupling.to_visible(self.neighbour.statistic(states), given)
        given = self.neighbour.given_by(states, given)
        return self.coupling.to_hidden(self.neighbour.statistic(states, given), given)

    def forward(self, states: Tensor, generator: torch.Generator | None = None, given: Given | None = None) -> Tensor:
        """What is seen of the unit's mean given the neighbour's states, or of a sample where a generator is given."""
        if self.upward:
            input, given = self.input(states, given), None  # what is given of a case is of its visible side
        else:
            input = self.input(self.neighbour.from_output(states, generator), given)
        found = self.unit.mean(input, given) if generator is None else self.unit.sample(input, generator=generator, given=given)
        return self.unit.output(found) if self.upward else found

    @torch.no_grad()
    def accumulate_gradient(
        self, states: Tensor, neighbour: Tensor, *, weights: Tensor | None = None, scale: float = 1.0, fresh: bool = False
    ) -> Tensor:
        """Adds scale · Σ_n weights_n · ∂/∂θ [-log p(states_n | neighbour_n)] to the `.grad` of the unit's and of the coupling's parameters
        (replaces it if `fresh`), and returns E[states | neighbour], (*leading, *unit.shape).

        `states`, of the unit: also means, Hinton's probabilities; the gradient is linear in them. `neighbour`: its states, or means.
        It is the delta rule of Hinton, Osindero & Teh (2006), appendix B, for every kind of unit.
        """
        unit = self.unit
        s_neighbour = self.neighbour.statistic(neighbour)
        input = self.coupling.to_hidden(s_neighbour) if self.upward else self.coupling.to_visible(s_neighbour)
        mean = unit.mean(input)
        surprise = unit.statistic(states - mean)
        s_v, s_h = (s_neighbour, surprise) if self.upward else (surprise, s_neighbour)
        self.coupling.accumulate_gradient(s_v, s_h, weights=weights, scale=scale, fresh=fresh)
        unit.add_gradient(unit.parameter_gradient(states, input, weights), scale=scale, fresh=fresh)
        unit.add_gradient(unit.mean_parameter_gradient(input, weights, mean=mean), scale=-scale)
        return mean

"""A layer that depends on its neighbour one way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling
from harmonium.units import Given, Unit


class Directed(nn.Module):
    """A layer of units that depends on its neighbour one way: p(unit | neighbour) through a coupling.

    `upward`: whether the neighbour is the coupling's visible side (recognition), or its hidden side (generation). The neighbour's statistic
    is all that is read of it; its parameters are its own layer's to learn.
    """

    def __init__(self, unit: Unit, coupling: Coupling, neighbour: Unit, *, upward: bool) -> None:
        super().__init__()
        self.unit, self.coupling, self.upward = unit, coupling, upward
        self.neighbour = neighbour

    def input(self, states: Tensor, given: Given | None = None) -> Tensor:
        """The unit's input from the neighbour's states."""
        return self._inputs(states, given)[1]

    def _inputs(self, states: Tensor, given: Given | None) -> tuple[Tensor, Tensor]:
        """The neighbour's statistic, and the unit's input from it."""
        if not self.upward:
            statistic = self.neighbour.statistic(states)
            return statistic, self.coupling.to_visible(statistic, given)
        given = self.neighbour.given_by(states, given)
        statistic = self.neighbour.statistic(states, given)
        return statistic, self.coupling.to_hidden(statistic, given)

    def forward(self, states: Tensor, generator: torch.Generator | None = None, given: Given | None = None) -> Tensor:
        """What is seen of the unit's mean given the neighbour's states, or of a sample where a generator is given."""
        if self.upward:
            input, given = self.input(states, given), None  # what is given of a case is of its visible side
        else:
            input = self.input(self.neighbour.from_output(states, generator), given)
        found = self.unit.mean(input, given) if generator is None else self.unit.sample(input, generator=generator, given=given)
        return self.unit.output(found) if self.upward else found

    def log_probability(self, states: Tensor, neighbour: Tensor, given: Given | None = None) -> Tensor:
        """log p(states | neighbour), a density where the states are real: (*leading), nats, float64.

        `states`: (*leading, *unit.shape); `neighbour`: (*leading, *neighbour.shape), of which the leading axes broadcast.
        """
        side = None if self.upward else self.unit.given_by(states, given)
        return self.unit.log_probability(states, self.input(neighbour, given), side)

    @torch.no_grad()
    def accumulate_gradient(
        self,
        states: Tensor,
        neighbour: Tensor,
        *,
        weights: Tensor | None = None,
        scale: float = 1.0,
        fresh: bool = False,
        given: Given | None = None,
    ) -> Tensor:
        """Adds scale · Σ_n weights_n · ∂/∂θ [-log p(states_n | neighbour_n)] to the `.grad` of the unit's and the coupling's parameters
        (replaces it if `fresh`), and returns E[unit | neighbour]: (*leading, *unit.shape).

        The delta rule: for weights (s(mean) - s(states)) times the neighbour's statistic. The states may be means, as grey pixels that
        count as probabilities are: the gradient is then that of the cross-entropy. `states`, `neighbour`: as for `log_probability`, with
        the same leading axes; `weights`: (*leading), one a case by default.
        """
        unit, coupling = self.unit, self.coupling
        s_neighbour, input = self._inputs(neighbour, given)
        if self.upward:
            given = self.neighbour.given_by(neighbour, given)
        side = None if self.upward else unit.given_by(states, given)
        mean = unit.mean(input, side)
        gradient = unit.parameter_gradient(states, input, weights, side)
        for name, average in unit.mean_parameter_gradient(input, weights, side, mean).items():
            gradient[name].sub_(average)
        unit.add_gradient(gradient, scale=scale, fresh=fresh)
        difference = unit.statistic(states, side) - unit.statistic(mean, side)
        s_v, s_h = (s_neighbour, difference) if self.upward else (difference, s_neighbour)
        coupling.accumulate_one_way(s_v, s_h, upward=self.upward, weights=weights, scale=scale, fresh=fresh, given=given)
        return mean

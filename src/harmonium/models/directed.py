"""A layer that depends on a neighbouring layer in one direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling
from harmonium.models.takes import anything, takes
from harmonium.units import NOTHING, Given, Unit


class Directed(nn.Module):
    """A layer of units that depends on a neighbouring layer in one direction: p(unit | neighbour).

    Of the neighbour, only its statistic is used. The neighbour's parameters belong to its own layer.

    Parameters
    ----------
    unit : Unit
        The units of the layer.
    coupling : Coupling
        Connects the two layers.
    neighbour : Unit
        The units of the layer that this one depends on.
    upward : bool
        True if the neighbour is the coupling's visible side (recognition). False if it is the hidden side (generation).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from harmonium.models import Directed
    >>> layer = Directed(hm.Bernoulli(4), hm.Dense(4, 3, scale=0.0), hm.Bernoulli(3), upward=False)
    >>> layer(torch.ones(1, 3)).detach()
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    >>> round(layer.log_probability(torch.ones(1, 4), torch.ones(1, 3)).item(), 4)
    -2.7726
    """

    def __init__(self, unit: Unit, coupling: Coupling, neighbour: Unit, *, upward: bool) -> None:
        super().__init__()
        self.unit, self.coupling, self.upward = unit, coupling, upward
        self.neighbour = neighbour

    def input(self, states: Tensor, given: Given = NOTHING) -> Tensor:
        """The unit's input from the neighbour's states: (*leading, *unit.statistic_shape)."""
        return self._inputs(states, given)[1]

    def _inputs(self, states: Tensor, given: Given) -> tuple[Tensor, Tensor]:
        """The neighbour's statistic, and the unit's input from it."""
        if not self.upward:
            statistic = self.neighbour.statistic(states)
            return statistic, self.coupling.to_visible(statistic, given)
        given = self.neighbour.given_by(states, given)
        statistic = self.neighbour.statistic(states, given)
        return statistic, self.coupling.to_hidden(statistic, given)

    @takes(states=anything)
    def forward(self, states: Tensor, generator: torch.Generator | None = None, given: Given = NOTHING) -> Tensor:
        """The mean of the unit given the neighbour, or a sample if a generator is given.

        A recognition layer takes the neighbour's states and returns the unit's output, which is the pooled map for pooled units. A
        generative layer takes the neighbour's output and returns the unit's states.

        Parameters
        ----------
        states : Tensor
            (*leading, *shape), the neighbour's states, or its output if the layer generates.
        generator : torch.Generator, optional
            The source of all draws.
        given : Given, optional
            Side information about each case.

        Returns
        -------
        Tensor
            (*leading, *unit.output_shape) of a recognition layer, (*leading, *unit.shape) of a generative one.
        """
        if self.upward:
            input, given = self.input(states, given), NOTHING  # side information belongs to the visible side
        else:
            input = self.input(self.neighbour.from_output(states, generator), given)
        found = self.unit.mean(input, given) if generator is None else self.unit.sample(input, generator=generator, given=given)
        return self.unit.output(found) if self.upward else found

    def log_probability(self, states: Tensor, neighbour: Tensor, given: Given = NOTHING) -> Tensor:
        """log p(states | neighbour), a density for real-valued units.

        Parameters
        ----------
        states : Tensor
            (*leading, *unit.shape).
        neighbour : Tensor
            (*leading, *neighbour.shape). The leading axes of both broadcast.
        given : Given, optional
            Side information about each case.

        Returns
        -------
        Tensor
            (*leading) float64, in nats.
        """
        side = NOTHING if self.upward else self.unit.given_by(states, given)
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
        given: Given = NOTHING,
    ) -> Tensor:
        """Adds scale · Σ_n weights_n · ∂/∂θ [-log p(states_n | neighbour_n)] to the `.grad` of the unit and of the coupling.

        This is the delta rule: (s(mean) - s(states)) times the neighbour's statistic for the weights. The states may be means, such as grey
        levels that count as probabilities. The gradient is then that of the cross-entropy.

        Parameters
        ----------
        states : Tensor
            (*leading, *unit.shape).
        neighbour : Tensor
            (*leading, *neighbour.shape), with the same leading axes.
        weights : Tensor, optional
            (*leading), one per case by default.
        scale : float, default 1.0
            Factor of the sum.
        fresh : bool, default False
            Replace `.grad` instead of adding to it.
        given : Given, optional
            Side information about each case.

        Returns
        -------
        Tensor
            (*leading, *unit.shape), E[unit | neighbour].
        """
        unit, coupling = self.unit, self.coupling
        s_neighbour, input = self._inputs(neighbour, given)
        if self.upward:
            given = self.neighbour.given_by(neighbour, given)
        side = NOTHING if self.upward else unit.given_by(states, given)
        mean = unit.mean(input, side)
        gradient = unit.parameter_gradient(states, input, weights, side)
        for name, average in unit.mean_parameter_gradient(input, weights, side, mean).items():
            gradient[name].sub_(average)
        unit.add_gradient(gradient, scale=scale, fresh=fresh)
        difference = unit.statistic(states, side) - unit.statistic(mean, side)
        s_v, s_h = (s_neighbour, difference) if self.upward else (difference, s_neighbour)
        coupling.accumulate_one_way(s_v, s_h, upward=self.upward, weights=weights, scale=scale, fresh=fresh, given=given)
        return mean

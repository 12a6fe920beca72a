"""The abstract base class of all kinds of unit."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harmonium.units import by_autograd
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import add_to_grad

Values = Literal["binary", "probabilities"]


class Unit(nn.Module, ABC):
    """A layer of exponential-family units that are independent of each other given the other layer.

    A layer's part of the joint energy is `energy(x)`. The other layer enters only through the linear term <s(x), input>, where s is the
    sufficient statistic and `input` is the total input from the other layer, without the unit's own bias. So

        p(x | input) = exp(-energy(x) + <s(x), input> - log_partition(input))

    and the free energy, the conditionals and the gradient of *every* pair of kinds follow from these few functions (Welling,
    Rosen-Zvi & Hinton 2005). A unit of one's own must define `energy_terms`, `log_partition`, `sample` and `check`; everything else has a
    default (`harmonium.units.by_autograd`).

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.

    Raises
    ------
    ValueError
        For a shape without units.

    Notes
    -----
    States are (*leading, *shape); the leading axes may be a batch, or replicas and a batch. Energies and log-partitions, in nats, are
    sums over the axes of the shape alone: (*leading). A saved file rebuilds the unit from its `arguments()`.
    """

    has_joint_energy = True
    """Whether the conditional is that of a joint energy. Where it is not, functions that need an energy raise a TypeError."""

    statistic_is_learnt = False
    """Whether the statistic depends on parameters, so that `parameter_gradient` needs the input."""

    scales_hidden_bias = False
    """Whether the statistic carries the hidden units' biases, so that the hidden layer's own biases stay frozen at zero."""

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"a layer needs at least one unit along each axis of its shape, found {self.shape}")

    # What each kind of unit defines -----------------------------------------------------------------------------------------

    @abstractmethod
    def energy_terms(self, states: Tensor) -> Tensor:
        """The energy of each unit, minus the log of its base measure: (*leading, *shape), nats."""

    @abstractmethod
    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """log Σ_x exp(-energy(x) + <s(x), input>), with an integral where x is real: (*leading), nats."""

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """E[x | input]: (*leading, *shape). By default the derivative of `log_partition`."""
        return by_autograd.mean(self, input, given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """The variance of each unit given its input: (*leading, *shape). By default the second derivative of `log_partition`."""
        return by_autograd.variance(self, input, given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """The most probable states: (*leading, *shape). By default a TypeError."""
        raise TypeError(f"{type(self).__name__} does not say which state is the most probable: gaps in data and modes need its `mode`")

    @abstractmethod
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """One draw from p(x | input) for each leading index: (*leading, *shape).

        Parameters
        ----------
        input : Tensor
            (*leading, *statistic_shape), the total input from the other layer, without the unit's own bias.
        generator : torch.Generator
            The source of all draws.
        given : Given, optional
            Side information about each case.
        mean : Tensor, optional
            (*leading, *shape), E[x | input], where it is already known.
        """

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
    ) -> dict[str, Tensor]:
        """Σ weights · ∂/∂θ [energy(x) - <s(x), input>] over the leading axes, by parameter name.

        By default by automatic differentiation of `energy`.

        Parameters
        ----------
        states : Tensor
            (*leading, *shape).
        input : Tensor or None
            (*leading, *statistic_shape). It may be None where `statistic_is_learnt` is false.
        weights : Tensor, optional
            (*leading), one per case by default. Weights that sum to one give an average.
        given : Given, optional
            Side information about each case.
        """
        return by_autograd.parameter_gradient(self, states, input, weights, given)

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The parameter gradient averaged over p(x | input), by parameter name: -Σ weights · ∂ log_partition(input)/∂θ.

        By default by automatic differentiation of `log_partition`. The arguments are those of `sample` and `parameter_gradient`.
        """
        return by_autograd.mean_parameter_gradient(self, input, weights, given)

    @abstractmethod
    def check(self, states: Tensor) -> None:
        """Raises a ValueError that states what was expected and what was found, if any state lies outside the support."""

    def check_states(self, states: Tensor) -> None:
        """Like `check`, but also refuses means: only states have an energy and a probability."""
        self.check(states)

    def from_data(self, data: Tensor, like: Tensor) -> Tensor:
        """Converts data that passed `check`, (*leading, *shape) of any type, to states of the type and device of `like`."""
        return data.to(device=like.device, dtype=like.dtype)

    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets the unit's own parameters so that, without input, its mean is that of `data`, (cases, *shape), with `weights` (cases,).

        By default by maximum likelihood.
        """
        by_autograd.fit_parameters(self, data, weights)

    def base_input(self, mean: Tensor) -> Tensor:
        """The constant input, (*shape), for which the mean is `mean`.

        Where only an infinite input would give a mean, it is moved a thousandth away. The layer with this input is the base-rate model of
        annealed importance sampling.

        By default by minimising log_partition(x) - <mean, x>.
        """
        return by_autograd.input_of(self, mean)

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        """The least upper bound over all states x of <s(x), w>, for each column w of `weights`, (statistic size, columns): (columns).

        It is infinite where the states are unbounded along w. `check_normalisable` uses it. By default infinite, as for unbounded states.
        """
        return torch.where((weights != 0).any(0), math.inf, 0.0).to(weights)

    # What follows for all kinds -----------------------------------------------------------------------------------------------

    def sample_and_change(self, input: Tensor, step: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A draw from p(x | input), and log_partition(input + step) - log_partition(input), (*leading), in nats, as annealing needs.

        Units for which one helps to compute the other override it. The difference of two large numbers is taken in float64.

        Parameters
        ----------
        input, step : Tensor
            (*leading, *statistic_shape), the input, and its increment from one inverse temperature to the next.
        generator : torch.Generator
            The source of the draw.
        """
        wide = input.double()
        return self.sample(input, generator=generator), self.log_partition(wide + step) - self.log_partition(wide)

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """The shape of one case's statistic, which the coupling connects."""
        return self.shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of `output` for one case."""
        return self.shape

    def output(self, states: Tensor) -> Tensor:
        """Maps states or means, (*leading, *shape), to the input of the next machine of a stack: (*leading, *output_shape)."""
        return states

    def from_output(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """States, or without a generator their mean, whose output is `output`, (*leading, *output_shape), by the layer's own biases."""
        return output

    def bias_from_coupling(self) -> None:
        """Freezes the layer's own biases at zero, because the other layer's statistic carries them."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.requires_grad_(False)
                parameter.data.zero_()

    def given_by(self, states: Tensor, given: Given = NOTHING) -> Given:
        """`given`, completed with what the states themselves determine about their case."""
        return given

    def input_bound(self) -> Tensor | None:
        """The bound below which each unit's total input must stay, (size), float64, where its energy grows slower than quadratically.

        None where any finite input is allowed.
        """
        return None

    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        """For units whose energy grows as (s σ)² / 2 in their statistic s: σ, and whether they are one-sided (s >= 0).

        (size) float64 and (size) bool; None for all other units.
        """
        return None

    @property
    def count(self) -> float:
        """The number of joint states of the layer: infinite unless every unit is discrete and bounded."""
        return math.inf

    def states(self, numbers: Tensor) -> Tensor:
        """The joint states with these numbers, (cases,) integers below `count`: (cases, *shape). TypeError if there is no finite list."""
        raise TypeError(f"{type(self).__name__} units have no finite list of states")

    def standard(self) -> tuple[Tensor, Tensor] | None:
        """The origin, (*shape), and the scale, (*statistic_shape), by which learning in standard form measures states; free of gradients.

        None for counts and choices, whose zero and one are not a matter of convention.
        """
        return None

    def standardise_gradient(self) -> None:
        """Turns the exact `.grad` of the unit's own parameters into steps that are independent of the unit of measurement."""

    def bounds(self, data: Tensor | None) -> dict[str, tuple[Tensor, Tensor]]:
        """The least and the greatest value of each bounded parameter in learning, by its name.

        `data`: (cases, *shape), or None for a layer without data of its own.
        """
        return {}

    def statistic(self, states: Tensor, given: Given = NOTHING) -> Tensor:
        """s(x), linear in the states, so that the mean of the statistic is the statistic of the mean."""
        return keep_present(states, given)

    def energy(self, states: Tensor, given: Given = NOTHING) -> Tensor:
        """The layer's part of the joint energy, in nats: (*leading)."""
        return self.total(keep_present(self.energy_terms(states), given))

    def log_probability(self, states: Tensor, input: Tensor, given: Given = NOTHING) -> Tensor:
        """log p(x | input), a density where x is real: (*leading), nats, float64. The leading axes of the two arguments broadcast."""
        met = (self.statistic(states, given) * input).sum(dim=tuple(range(-len(self.statistic_shape), 0)))
        return met.double() - self.energy(states, given).double() - self.log_partition(input, given).double()

    def add_gradient(self, gradient: Mapping[str, Tensor], *, scale: float, fresh: bool) -> None:
        """Adds `scale` times each of these sums, by parameter name, to the parameter's `.grad`; overwrites it if `fresh`."""
        for name, total in gradient.items():
            add_to_grad(self.get_parameter(name), total, scale=scale, fresh=fresh)

    def total(self, terms: Tensor) -> Tensor:
        """Sums (*leading, *shape) over the shape's axes."""
        return terms.sum(dim=tuple(range(-len(self.shape), 0)))

    def zero_input(self, *leading: int) -> Tensor:
        """A zero input from the other layer: (*leading, *statistic_shape), with this layer's type and device."""
        like = next(self.parameters())
        return torch.zeros(*leading, *self.statistic_shape, dtype=like.dtype, device=like.device)

    def join_machine(self, *, visible: bool) -> None:
        """Decides what depends on whether the layer is one of data (`visible`) or a hidden one. By default nothing.

        A machine calls it when it is made. What is decided stays, in whatever other machine the layer stands later.
        """

    def as_visible_layer(self) -> Unit:
        """A new visible layer for the next machine of a stack: its shape is that of `output`, and it accepts means as data."""
        arguments: dict[str, Any] = self.arguments()
        return type(self)(**arguments)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained copy."""
        return {"shape": self.shape}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.arguments().items())

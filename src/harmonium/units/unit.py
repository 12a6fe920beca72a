"""The one abstract level below every kind of unit."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harmonium.units import by_autograd
from harmonium.units.given import Given, keep_present

Values = Literal["binary", "probabilities"]


class Unit(nn.Module, ABC):
    """A layer of exponential-family units that are independent of each other given the other layer.

    A layer's part of the joint energy is `energy(x)`; the other layer reaches it only through the linear term <s(x), input>, where
    s is the sufficient statistic and `input` the total input from the other layer, without the unit's own bias. So

        p(x | input) = exp(-energy(x) + <s(x), input> - log_partition(input))

    and the free energy, the conditionals and the gradient of *every* pair of kinds follow from the few functions below (Welling,
    Rosen-Zvi & Hinton 2005). A unit of one's own must say its `energy_terms`, `log_partition`, `sample` and `check`; everything else has
    a default (`harmonium.units.by_autograd`). States are (*leading, *shape): the leading axes may be a batch, or replicas and a batch.
    Energies and log-partitions, in nats, sum over the shape's axes alone and are (*leading). A saved file rebuilds the unit from its
    `arguments()`.
    """

    has_joint_energy = True
    """Whether the conditional is that of a joint energy. Where it is not, whatever needs one refuses (TypeError)."""

    statistic_is_learnt = False
    """Whether the statistic has parameters of its own, so that `parameter_gradient` needs the input."""

    scales_hidden_bias = False
    """Whether the statistic carries the hidden units' biases, so that these units' own stay frozen at zero."""

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = (shape,) if isinstance(shape, int) else tuple(shape)
        if not self.shape or min(self.shape) < 1:
            raise ValueError(f"a layer needs at least one unit along each axis of its shape, found {self.shape}")

    # What a kind of unit must say about itself ------------------------------------------------------------------------------

    @abstractmethod
    def energy_terms(self, states: Tensor) -> Tensor:
        """The energy of each unit, log base measure included: (*leading, *shape)."""

    @abstractmethod
    def log_partition(self, input: Tensor, given: Given | None = None) -> Tensor:
        """log Σ_x exp(-energy(x) + <s(x), input>), an integral where x is real: (*leading), nats."""

    def mean(self, input: Tensor, given: Given | None = None) -> Tensor:
        """E[x | input]: (*leading, *shape). By default the derivative of `log_partition`."""
        return by_autograd.mean(self, input, given)

    def variance(self, input: Tensor, given: Given | None = None) -> Tensor:
        """The variance of each unit given its input: (*leading, *shape). By default the second derivative of `log_partition`."""
        return by_autograd.variance(self, input, given)

    def mode(self, input: Tensor, given: Given | None = None) -> Tensor:
        """The most probable states: (*leading, *shape). By default a TypeError."""
        raise TypeError(f"{type(self).__name__} does not say which state is the most probable: gaps in data and modes need its `mode`")

    @abstractmethod
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given | None = None, mean: Tensor | None = None) -> Tensor:
        """One draw from p(x | input) per leading index: (*leading, *shape). `mean`: E[x | input], where it is known already."""

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given | None = None
    ) -> dict[str, Tensor]:
        """Σ weights · ∂/∂θ [energy(x) - <s(x), input>] over the leading axes, by parameter name.

        With weights (*leading) that sum to one it is an average; None weighs every case one. `input` may be None where
        `statistic_is_learnt` is false.

        By default by automatic differentiation of `energy`.
        """
        return by_autograd.parameter_gradient(self, states, input, weights, given)

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given | None = None, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The same averaged over p(x | input): -Σ weights · ∂ log_partition(input)/∂θ, by parameter name.

        `mean`: E[x | input], where it is known already.

        By default by automatic differentiation of `log_partition`.
        """
        return by_autograd.mean_parameter_gradient(self, input, weights, given)

    @abstractmethod
    def check(self, states: Tensor) -> None:
        """Raises a ValueError that says what was expected and what was found, if any state lies outside the support."""

    def check_states(self, states: Tensor) -> None:
        """As `check`, but refuses means that the layer would learn from: only states have an energy and a probability."""
        self.check(states)

    def from_data(self, data: Tensor, like: Tensor) -> Tensor:
        """Data that `check` passed, (*leading, *shape) of any type, as the layer's states, of the type and device of `like`."""
        return data.to(device=like.device, dtype=like.dtype)

    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets the unit's own parameters so that, with no input, its mean is that of `data`, (cases, *shape), with `weights` (cases,).

        By default by maximum likelihood."""
        by_autograd.fit_parameters(self, data, weights)

    def base_input(self, mean: Tensor) -> Tensor:
        """The constant input, (*shape), under which the mean is `mean`, kept a thousandth away from what only infinite inputs give.

        It turns the layer into the base-rate model of annealed importance sampling.

        By default by minimising log_partition(x) - <mean, x>.
        """
        return by_autograd.input_of(self, mean)

    def max_interaction(self, weights: Tensor, given: Given | None = None) -> Tensor:
        """The least upper bound over all states x of <s(x), w>, for each column w of (statistic size, columns): (columns).

        Infinite where the states are unbounded along w. It is what `check_normalisable` asks of one layer about the other.

        By default infinite, as of states without bounds.
        """
        return torch.where((weights != 0).any(0), math.inf, 0.0).to(weights)

    # What follows for all of them ---------------------------------------------------------------------------------------------

    def sample_and_change(self, input: Tensor, step: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A draw from p(x | input), and log_partition(input + step) - log_partition(input), (*leading): what a temperature of annealing
        asks of a layer. Units for which the one helps the other override it. The difference of two large numbers is taken in float64."""
        wide = input.double()
        return self.sample(input, generator=generator), self.log_partition(wide + step) - self.log_partition(wide)

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """The shape of one case's statistic, which the coupling connects."""
        return self.shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of what the next machine of a stack sees of this layer."""
        return self.shape

    def output(self, states: Tensor) -> Tensor:
        """What the next machine of a stack sees of states or means, (*leading, *shape): (*leading, *output_shape)."""
        return states

    def from_output(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """States whose output is `output`, (*leading, *output_shape), drawn with the layer's own biases; their mean without a generator."""
        return output

    def bias_from_coupling(self) -> None:
        """Freezes the layer's own biases at zero, because the other layer's statistic carries them."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.requires_grad_(False)
                parameter.data.zero_()

    def given_by(self, states: Tensor, given: Given | None) -> Given | None:
        """`given`, and what the states themselves say of their case."""
        return given

    def input_bound(self) -> Tensor | None:
        """The total input that each unit bears only below, (size), float64, where its energy grows slower than quadratically.

        None where any finite input can be borne.
        """
        return None

    def quadratic(self) -> tuple[Tensor, Tensor] | None:
        """Of units whose energy grows as (s σ)² / 2 in their statistic s: σ, (size) float64, and whether they are one-sided (s >= 0),
        (size) bool. None for all others."""
        return None

    @property
    def count(self) -> float:
        """How many joint states the layer has: infinite unless every unit is discrete and bounded."""
        return math.inf

    def states(self, numbers: Tensor) -> Tensor:
        """The joint states of these numbers, (cases,) integers below `count`: (cases, *shape). TypeError where they have none."""
        raise TypeError(f"{type(self).__name__} units have no finite list of states")

    def standard(self) -> tuple[Tensor, Tensor] | None:
        """Where the units' states are measured from, (*shape), and in what, (*statistic_shape): the origin and the scale that learning in
        standard form takes, free of gradients. None for counts and choices, whose zero and one are no matter of convention."""
        return None

    def standardise_gradient(self) -> None:
        """Turns the exact `.grad` of the unit's own parameters into steps that do not depend on the unit of measurement."""

    def bounds(self, data: Tensor | None) -> dict[str, tuple[Tensor, Tensor]]:
        """The least and the greatest value that learning may give a parameter, by its name, where there are such.

        `data`: (cases, *shape), or None for a layer that has none of its own.
        """
        return {}

    def statistic(self, states: Tensor, given: Given | None = None) -> Tensor:
        """s(x), linear in the states, so that the mean of the statistic is the statistic of the mean."""
        return keep_present(states, given)

    def energy(self, states: Tensor, given: Given | None = None) -> Tensor:
        """The layer's part of the joint energy, in nats: (*leading)."""
        return self.total(keep_present(self.energy_terms(states), given))

    def log_probability(self, states: Tensor, input: Tensor, given: Given | None = None) -> Tensor:
        """log p(x | input), a density where x is real: (*leading), nats, float64. The leading axes of the two broadcast."""
        met = (self.statistic(states, given) * input).sum(dim=tuple(range(-len(self.statistic_shape), 0)))
        return met.double() - self.energy(states, given).double() - self.log_partition(input, given).double()

    def add_gradient(self, gradient: Mapping[str, Tensor], *, scale: float, fresh: bool) -> None:
        """Adds scale times each of these sums, by parameter name, to the parameter's `.grad` (replaces it if `fresh`).

        Frozen parameters are left alone. The sums may be written to.
        """
        for name, value in gradient.items():
            parameter = self.get_parameter(name)
            if parameter.requires_grad:
                total = None if fresh else parameter.grad
                parameter.grad = value.mul_(scale) if total is None else total.add_(value, alpha=scale)

    def total(self, terms: Tensor) -> Tensor:
        """Sums (*leading, *shape) over the shape's axes."""
        return terms.sum(dim=tuple(range(-len(self.shape), 0)))

    def zero_input(self, *leading: int) -> Tensor:
        """A zero input from the other layer: (*leading, *statistic_shape), with this layer's type and device."""
        like = next(self.parameters())
        return torch.zeros(*leading, *self.statistic_shape, dtype=like.dtype, device=like.device)

    def as_visible_layer(self) -> Unit:
        """A fresh layer of what the next machine sees of this one, to be its visible layer, that takes conditional means as its data."""
        arguments: dict[str, Any] = self.arguments()
        return type(self)(**arguments)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained copy."""
        return {"shape": self.shape}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.arguments().items())


def weighted_sum(values: Tensor, weights: Tensor | None, like: Tensor) -> Tensor:
    """Sums (*leading, *shape) over the leading axes with `weights` (*leading), then down to the shape of `like`, which broadcasts."""
    if weights is not None and weights.dim() == 1 and values.dim() == 2 and values.shape[1:] == like.shape:
        return weights @ values
    if weights is not None:
        values = values * weights.reshape(*weights.shape, *[1] * (values.dim() - weights.dim()))
    return values.sum(0) if values.dim() == like.dim() + 1 and values.shape[1:] == like.shape else values.sum_to_size(like.shape)


def tally(rows: Tensor, weights: Tensor | None, like: Tensor) -> tuple[Tensor, float]:
    """The weighted sum of (cases, *shape) down to the shape of `like`, and how many values of weight one each entry is made of."""
    cases = float(len(rows)) if weights is None else weights.sum().item()
    return weighted_sum(rows, weights, like), cases * (rows[0].numel() / like.numel())


def check_finite(name: str, states: Tensor) -> None:
    """Raises a ValueError that counts the NaN or infinite values."""
    if states.is_floating_point() and not bool(torch.isfinite(states).all()):
        bad = int((~torch.isfinite(states)).sum())
        raise ValueError(
            f"{name} units expect finite numbers, found {bad} NaN or infinite value{'s' * (bad > 1)}; "
            "fill or drop those cases, or mark the places as absent with given=Given(present=...)"
        )


def no_joint(unit: Unit, what: str) -> TypeError:
    """The refusal of units that are no conditional of any joint energy."""
    return TypeError(
        f"{type(unit).__name__} units are no conditional of any joint energy, so that {what} does not exist; "
        "TruncatedGaussian and SteppedSigmoid are rectified units that have one"
    )


def check_shape(name: str, states: Tensor, shape: tuple[int, ...]) -> None:
    """Raises a ValueError unless the states are (*leading, *shape) with at least one case; TypeError unless they are a tensor."""
    if not isinstance(states, Tensor):
        raise TypeError(f"{name} units expect states as a tensor, found {type(states).__name__}: torch.as_tensor makes one of an array")
    if tuple(states.shape[states.dim() - len(shape) :]) != shape or states.dim() < len(shape):
        raise ValueError(f"{name} units expect states of shape (..., {', '.join(map(str, shape))}), found {tuple(states.shape)}")
    if states.numel() == 0:
        raise ValueError(f"{name} units expect at least one case, found an empty array of shape {tuple(states.shape)}")

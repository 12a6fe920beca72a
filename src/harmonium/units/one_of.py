"""One of several layers of units exists, the others are off."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given
from harmonium.units.uniform import uniform
from harmonium.units.unit import Unit


class OneOf(Biased):
    """A softmax unit z that chooses one of several layers of units: the chosen layer exists, and all units of the others are zero.

    As the hidden layer of an `RBM` it makes the implicit mixture of RBMs (`MixtureOfRBMs`).

    Parameters
    ----------
    layer : Unit
        The kind and number of the units of one layer: bounded discrete units of a one-dimensional shape, such as `Bernoulli(50)`. Every
        layer has biases of its own, which start at this one's.
    choices : int
        Number of layers, K.

    Attributes
    ----------
    bias : torch.nn.Parameter
        (choices, 1 + units), the bias of each value of z and, after it, those of the units of its layer.
    temperature : torch.Tensor
        T, a number; 1 except while a mixture learns. The probability of a layer is its 1/T-th power, normalised again, wherever states are
        drawn or averaged. `log_partition` and energies do not depend on it.

    Raises
    ------
    ValueError
        For fewer than one layer, and for units that are unbounded, have no bias that adds to their input, or a shape of several axes.

    Notes
    -----
    States are (*leading, choices, 1 + units): z_k, followed by the states of layer k times z_k. With total input a_k to z_k and x_k to the
    units of layer k, whose own log-partition is A,

        log_partition = log Σ_k exp(a_k + A(x_k))        p(z_k = 1) = softmax((a + A(x)) / T)_k

    (Nair & Hinton 2008, Implicit mixtures of restricted Boltzmann machines).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.OneOf(hm.Bernoulli(2), 3)
    >>> units.shape
    (3, 3)
    >>> units.mean(units.zero_input()).detach()[0]  # one layer of three, and each of its units half of the time
    tensor([0.3333, 0.1667, 0.1667])
    >>> draw = units.sample(units.zero_input(), generator=torch.Generator().manual_seed(0))
    >>> draw[:, 0].sum().item()
    1.0
    """

    temperature: Tensor

    def __init__(self, layer: Unit, choices: int) -> None:
        bounded = isinstance(layer, Biased) and layer.has_joint_energy and layer.count < math.inf
        if not bounded or len(layer.shape) != 1 or layer.statistic_shape != layer.shape:
            raise ValueError(
                "one of several layers is chosen among layers of bounded discrete units along one axis, such as hm.Bernoulli(50), found "
                f"{layer!r}"
            )
        if choices < 1:
            raise ValueError(f"a choice needs at least one layer, found {choices}")
        assert isinstance(layer, Biased)
        super().__init__((choices, 1 + layer.shape[0]))
        self.choices = choices
        self.layer = bare(layer)
        with torch.no_grad():
            self.bias[:, 1:] = layer.bias.expand(layer.shape)
        self.to(layer.bias)
        self.register_buffer("temperature", torch.ones_like(self.bias[0, 0]), persistent=False)

    def of_each(self, input: Tensor) -> Tensor:
        """a_k + A(x_k), the log of the sum over all states in which layer k exists: (*leading, choices), nats."""
        return self._of_each(input + self.bias)

    def _of_each(self, total: Tensor) -> Tensor:
        return total[..., 0] + self.layer.log_partition(total[..., 1:])

    def energy_terms(self, states: Tensor) -> Tensor:
        own = torch.cat([torch.zeros_like(states[..., :1]), self.layer.energy_terms(states[..., 1:])], dim=-1)
        return own * states[..., :1] - states * self.bias

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.of_each(input).logsumexp(-1)

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = input + self.bias
        shares = torch.softmax(self._of_each(total) / self.temperature, dim=-1)[..., None]
        return torch.cat([shares, shares * self.layer.mean(total[..., 1:])], dim=-1)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = (input + self.bias)[..., 1:]
        mean = self.mean(input)
        squares = mean[..., :1] * (self.layer.variance(total) + self.layer.mean(total).square())
        return torch.cat([mean[..., :1], squares], dim=-1) - mean.square()

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = input + self.bias
        states = torch.cat([torch.ones_like(total[..., :1]), self.layer.mode(total[..., 1:])], dim=-1)
        heights = (total * states).sum(-1) - self.layer.energy(states[..., 1:])
        return states * torch.nn.functional.one_hot(heights.argmax(-1), self.choices)[..., None]

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Draws z at one uniform number, where there is a choice, and then the units of its layer alone."""
        total = input + self.bias
        shares = torch.softmax(self._of_each(total) / self.temperature, dim=-1) if mean is None else mean[..., 0]
        chosen = torch.zeros_like(shares[..., :1], dtype=torch.long)
        if self.choices > 1:
            u = uniform(tuple(chosen.shape), shares, generator)
            chosen = (u >= shares.cumsum(-1)).sum(-1, keepdim=True).clamp_max(self.choices - 1)
        place = chosen[..., None].expand(*chosen.shape, self.shape[1])
        h = self.layer.sample(total.gather(-2, place)[..., 1:], generator=generator)
        return torch.zeros_like(total).scatter_(-2, place, torch.cat([torch.ones_like(h[..., :1]), h], dim=-1))

    def check(self, states: Tensor) -> None:
        check_shape("OneOf", states, self.shape)
        check_finite("OneOf", states)
        z = states[..., 0]
        if bool(((z != 0) & (z != 1)).any()) or bool((z.sum(-1) != 1).any()):
            raise ValueError("OneOf units expect that one layer exists, z one-hot, found z with other values or another sum")
        if bool((states[..., 1:] * (1 - z[..., None])).any()):
            raise ValueError("OneOf units expect zeros in the layers that do not exist, found other states there")
        self.layer.check(states[z == 1][:, 1:])

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        own = weights.reshape(*self.shape, -1)
        return torch.stack([each[0] + self.layer.max_interaction(each[1:]) for each in own]).amax(0)

    @property
    def count(self) -> float:
        return self.choices * self.layer.count

    def states(self, numbers: Tensor) -> Tensor:
        h = self.layer.states(numbers // self.choices)
        z = torch.nn.functional.one_hot(numbers % self.choices, self.choices).to(h.dtype)[..., None]
        return z * torch.cat([torch.ones_like(h[..., :1]), h], dim=-1)[..., None, :]

    def as_visible_layer(self) -> Unit:
        raise TypeError("a choice among layers passes nothing on to a next machine: learn the next model from responsibilities instead")

    def arguments(self) -> dict[str, object]:
        return {"layer": self.layer, "choices": self.choices}


def bare(layer: Unit) -> Biased:
    """A copy of a layer without a bias of its own: a constant zero in its place."""
    arguments: dict[str, Any] = layer.arguments()
    made: Biased = type(layer)(**arguments)  # type: ignore[assignment]
    zero = torch.zeros_like(made.bias.detach())
    del made.bias
    made.register_buffer("bias", zero, persistent=False)
    return made

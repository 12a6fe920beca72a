"""What the outputs of a decoder mean, and how far they are from the data, by the kind of the visible units."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.data.tables import as_tensor
from harmonium.units import Bernoulli, Binomial, Gaussian, Poisson, ReplicatedSoftmax, Softmax, Spin, Unit
from harmonium.units.groups import leaves


class Output(NamedTuple):
    """How one kind of units reads a decoder's outputs, which are the total inputs of the units, biases included."""

    mean: Callable[[Any, Tensor], Tensor]
    """(unit, outputs) -> means, both (*leading, units)."""
    loss: Callable[[Any, Tensor, Tensor], Tensor]
    """(unit, outputs, states or means) -> the loss of each unit, (*leading, units): -log p without what no output changes."""


def _log_softmax(unit: Softmax, outputs: Tensor) -> Tensor:
    grouped = torch.unflatten(outputs, -1, (unit.groups, unit.categories))
    return grouped.log_softmax(-1).flatten(-2)


def _logistic(logits: Tensor, shares: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, shares, reduction="none")


OUTPUTS: dict[type[Unit], Output] = {
    Bernoulli: Output(lambda unit, x: x.sigmoid(), lambda unit, x, v: _logistic(x, v)),
    Spin: Output(lambda unit, x: x.tanh(), lambda unit, x, v: _logistic(2 * x, (1 + v) / 2)),
    Binomial: Output(lambda unit, x: unit.copies * x.sigmoid(), lambda unit, x, v: unit.copies * _logistic(x, v / unit.copies)),
    Gaussian: Output(lambda unit, x: x, lambda unit, x, v: (x - v).square()),
    Poisson: Output(lambda unit, x: x.exp(), lambda unit, x, v: x.exp() - v * x),
    Softmax: Output(lambda unit, x: _log_softmax(unit, x).exp(), lambda unit, x, v: -v * _log_softmax(unit, x)),
    ReplicatedSoftmax: Output(lambda unit, x: x.softmax(-1), lambda unit, x, v: -v * x.log_softmax(-1)),
}


def output_of(unit: Unit) -> Output:
    """How these units read outputs. Raises a TypeError for kinds that no decoder ends with."""
    found = next((OUTPUTS[kind] for kind in type(unit).__mro__ if kind in OUTPUTS), None)
    if found is None:
        known = ", ".join(kind.__name__ for kind in OUTPUTS)
        raise TypeError(f"a decoder ends with units of one of the kinds {known}, found {type(unit).__name__}: no loss is known for these")
    return found


def parts_of(unit: Unit) -> list[tuple[slice, Unit, Output]]:
    """The layers that a layer is made of: where each one's units are among all of them, what it is, and how it reads outputs."""
    found, start = [], 0
    for _, _, leaf in leaves(unit):
        stop = start + math.prod(leaf.shape)
        found.append((slice(start, stop), leaf, output_of(leaf)))
        start = stop
    return found


def means_of(unit: Unit, outputs: Tensor) -> Tensor:
    """The means of units with these total inputs, both (*leading, units); for documents the probability of each word."""
    return torch.cat([output.mean(leaf, outputs[..., place]) for place, leaf, output in parts_of(unit)], dim=-1)


class ReconstructionLoss:
    """The loss of an autoencoder: summed over the units, averaged over the cases. `hm.fine_tune` takes it as `loss=`.

    Binary units have the cross-entropy of the data and the means, in nats; units of several choices, and documents, the multinomial one;
    real-valued units have the squared error. Targets are whatever the units take as data: grey levels as bytes, for example.

    Parameters
    ----------
    unit : Unit
        The visible units, of which a copy is kept.
    squared : bool, default False
        Take the squared error of the means for every kind of units, the figure in which autoencoders are compared.

    Raises
    ------
    TypeError
        For kinds of units without a loss, and for the squared error of documents.

    Notes
    -----
    Of outputs x, the total inputs of the units, and data v, the losses are

        binary: log(1 + eˣ) - v x      softmax: log Σ_k exp(x_k) - Σ_k v_k x_k      Poisson: eˣ - v x      Gaussian: (v - x)²

    For states these are -log p(v | x), without terms that do not depend on x; Gaussian units count as if their variance were ½. See Hinton
    & Salakhutdinov (2006), doi:10.1126/science.1127647.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> loss = hm.nets.ReconstructionLoss(hm.Bernoulli(4, values="probabilities"))
    >>> grey = torch.tensor([[0, 255, 255, 0]], dtype=torch.uint8)
    >>> round(loss(torch.zeros(1, 4), grey).item(), 4)  # 4 log 2
    2.7726
    >>> loss.means(torch.zeros(1, 4))
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """

    def __init__(self, unit: Unit, *, squared: bool = False) -> None:
        self.unit, self.squared = copy.deepcopy(unit), squared
        self.units = repr(unit)  # by which a resumed training knows the loss again
        self._parts = parts_of(self.unit)
        if squared and any(isinstance(leaf, ReplicatedSoftmax) for _, leaf, _ in self._parts):
            raise TypeError("documents of different lengths have no common squared error: leave squared= out for the multinomial loss")

    def means(self, outputs: Tensor) -> Tensor:
        """The means of the units for a decoder's outputs, (cases, units) each; for documents the probability of each word."""
        return means_of(self.unit, outputs)

    def each(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each case, (cases,). `outputs`: (cases, units). `targets`: (cases, units), as the units take their data."""
        shape, targets = self.unit.shape, as_tensor(targets)
        states = self.unit.from_data(targets.reshape(*targets.shape[:-1], *shape), outputs).flatten(-len(shape))
        if self.squared:
            return (self.means(outputs) - states).square().sum(-1)
        losses = [output.loss(leaf, outputs[..., place], states[..., place]).sum(-1) for place, leaf, output in self._parts]
        return torch.stack(losses).sum(0)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.each(outputs, targets).mean()

    def check(self, targets: Tensor) -> None:
        """Raises a ValueError that states what was expected and found, unless `targets` are data of the units, (cases, units)."""
        width = math.prod(self.unit.shape)
        if targets.dim() != 2 or targets.shape[1] != width:
            raise ValueError(
                f"an autoencoder's targets are what it is to reconstruct, of shape (cases, {width}), found {tuple(targets.shape)}"
            )
        self.unit.check(targets.reshape(len(targets), *self.unit.shape))

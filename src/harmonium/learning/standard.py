"""Steps that do not depend on where real-valued data are measured from, nor in what."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback
from harmonium.models import RBM
from harmonium.models.normalisable import leaves
from harmonium.units import Unit


class StandardForm(Callback):
    """Learns as if the data of real-valued units had been standardised with the units' present means and variances.

    In terms of x = (v - μ) / σ a machine with real-valued units has the weights W / σ and the hidden biases c + W' μ / σ², and knows
    nothing of μ and σ otherwise. A step along the gradient in these coordinates, taken back to W and c, multiplies the centred
    gradient of row i of W by σ_i², and has c make up for what the step changes in W' μ / σ². Data times a constant, or plus one, are
    then learnt alike. The directions are still those of an ascent: the matrix that turns the exact gradient into them is positive definite.

    `gradient()` turns the exact `.grad` of every parameter into that of these coordinates; after the optimiser's step `on_step` moves the
    hidden biases and keeps learnt variances within their bounds, which come from `data`, (cases, *visible.shape) or None. Weight cost,
    which the optimiser adds, falls on W as it is.
    """

    def __init__(self, model: RBM, data: Tensor | None = None) -> None:
        self.model, standard = model, model.visible.standard()
        self.scale = None if standard is None else standard[1].clone()
        self.biases = list(_biases(model.hidden))
        self.bounds = [
            (unit.get_parameter(name), *pair)
            for unit, rows in ((model.visible, data), (model.hidden, None))
            for name, pair in unit.bounds(rows).items()
        ]
        self.origin: Tensor | None = None
        self.before: Tensor | None = None

    @staticmethod
    def changes(model: RBM) -> bool:
        """Whether the model has units that it is about."""
        return any(unit.standard() is not None for unit in (model.visible, model.hidden))

    @torch.no_grad()
    def start(self) -> None:
        """After the visible units have been fitted to the data: the weights keep their size in units of σ, as it was when this object was
        made, and the hidden biases have visible units at their means tell the hidden ones nothing."""
        model, found = self.model, self.model.visible.standard()
        if found is None or self.scale is None:
            return
        origin, after = found
        ratio = (after / self.scale).flatten()
        if bool((ratio != 1).any()):
            for name, factor in model.coupling.scales(ratio, 1.0).items():
                model.coupling.get_parameter(name).mul_(factor)
        self._shift(self._input(origin))

    @torch.no_grad()
    def gradient(self) -> None:
        """The exact `.grad` of every parameter becomes a step in standard form."""
        model = self.model
        visible, hidden = model.visible.standard(), model.hidden.standard()
        if visible is not None and self.biases:
            self.origin = visible[0].clone()
            slope = torch.zeros_like(self.biases[0][0]).new_zeros(math.prod(model.hidden.shape))
            for bias, shape, start in self.biases:
                if bias.grad is not None:
                    size = math.prod(shape)
                    slope[start : start + size] = (bias.grad * (bias.numel() / size)).expand(shape).flatten()
            with torch.enable_grad():
                input = self._input(self.origin)
                moved = [p for module in (model.coupling, model.visible) for p in module.parameters() if p.requires_grad]
                self.before = input.detach()
                wanted = input.requires_grad
                shifts = torch.autograd.grad(input, moved, -slope.reshape(input.shape), allow_unused=True) if wanted else ()
            for parameter, shift in zip(moved, shifts, strict=False):
                if shift is not None:
                    parameter.grad = shift if parameter.grad is None else parameter.grad.add_(shift)
        scales = [1.0 if found is None else found[1].flatten() for found in (visible, hidden)]
        for name, factor in model.coupling.scales(*scales).items():
            gradient = model.coupling.get_parameter(name).grad
            if gradient is not None:
                gradient.mul_(factor * factor)
        model.visible.standardise_gradient()
        model.hidden.standardise_gradient()

    @torch.no_grad()
    def on_step(self, state: TrainingState) -> None:
        if self.before is not None and self.origin is not None:
            self._shift(self._input(self.origin) - self.before)
        for parameter, low, high in self.bounds:
            torch.clamp(parameter, low, high, out=parameter)

    def _input(self, origin: Tensor) -> Tensor:
        """What the coupling sends to the hidden units where the visible ones are at their origin: (*hidden.shape)."""
        return self.model.coupling.bilinear(self.model.visible.statistic(origin)[None])[0]

    def _shift(self, input: Tensor) -> None:
        """Takes an input, (*hidden.shape), off the hidden biases."""
        flat = input.flatten()
        for bias, shape, start in self.biases:
            size = math.prod(shape)
            bias.sub_(flat[start : start + size].reshape(shape).sum_to_size(bias.shape) * (bias.numel() / size))


def _biases(hidden: Unit) -> Iterator[tuple[nn.Parameter, tuple[int, ...], int]]:
    """The biases that add to the hidden units' input and are learnt, with the shape of their layer and where it begins."""
    for start, _, leaf in leaves(hidden):
        bias = getattr(leaf, "bias", None)
        if isinstance(bias, nn.Parameter) and bias.requires_grad:
            yield bias, leaf.shape, start

"""Steps that do not depend on the origin or the unit of real-valued data."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.learning.transforms.biases import learnt_biases
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM

SLOWER = 0.1  # variances move ten times slower than weights in units of σ (Melchior, Wang & Wiskott 2017)
FORGETTING = 0.01  # rate of the running mean square of a variance's gradient


class StandardForm(Transform):
    """Learns as if the data of real-valued units were standardised with the units' present means and variances.

    Data times a constant, or plus a constant, are then learned alike. In `fit` the argument `standardise` adds this transform.

    Parameters
    ----------
    model : RBM
        A machine with real-valued units.
    data : Tensor, optional
        Training cases, (cases, *visible.shape), which set the bounds of learned variances.

    Notes
    -----
    In terms of x = (v - μ) / σ a machine with real-valued units has the weights W / σ and the hidden biases c + W' μ / σ², and does not
    depend on μ and σ otherwise. A step along the gradient in these coordinates, converted back to W and c, multiplies the centred gradient
    of row i of W by σ_i², and c compensates for the change of W' μ / σ². The directions still ascend the likelihood: the matrix that
    converts the exact gradient to them is positive definite.

    The gradient of variances is noisy, and far from normal where data are sparse. If the root mean square of this gradient over earlier
    batches exceeds one, a step is divided by it. The divisor does not depend on the present batch. So learning converges where the
    likelihood's slope is zero. Weight cost, which the optimiser adds, applies to W itself.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Gaussian(3), hm.Bernoulli(4))
    >>> hm.learning.StandardForm.changes(rbm)
    True
    >>> rows = 5 + 2 * torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    >>> state = hm.fit(rbm, rows, epochs=2, progress=False)  # standardise=True is the default
    >>> len(state.history)
    2
    """

    completes: ClassVar[bool] = True

    def __init__(self, model: RBM, data: Tensor | None = None) -> None:
        self.biases = list(learnt_biases(model.hidden))
        self.bounds = [
            (unit.get_parameter(name), *pair)
            for unit, rows in ((model.visible, data), (model.hidden, None))
            for name, pair in unit.bounds(rows).items()
        ]

    @staticmethod
    def changes(model: RBM) -> bool:
        """Whether the model has real-valued units."""
        return any(unit.standard() is not None for unit in (model.visible, model.hidden))

    @torch.no_grad()
    def init(self, model: RBM, steps: int) -> Slots:
        slots: Slots = {}
        for side, unit in (("visible", model.visible), ("hidden", model.hidden)):
            for name in unit.bounds(None):
                slots[f"{side}.{name}"] = torch.ones_like(unit.get_parameter(name))
        visible = model.visible.standard()
        if visible is not None and self.biases:
            slots["work.origin"] = visible[0].clone()
            slots["work.input"] = self._input(model, visible[0]).detach().clone()
        return slots

    @torch.no_grad()
    def start(self, model: RBM, scale: Tensor | None) -> None:
        """After the visible units were fitted to the data, keep the weights' size in units of σ.

        σ was `scale` before. The hidden biases change so that visible units at their means contribute nothing to the hidden input.
        """
        found = model.visible.standard()
        if found is None or scale is None:
            return
        origin, after = found
        ratio = (after / scale).flatten()
        if bool((ratio != 1).any()):
            for name, factor in model.coupling.scales(ratio, 1.0).items():
                model.coupling.get_parameter(name).mul_(factor)
        self._shift(self._input(model, origin))

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Convert the exact `.grad` of every parameter to a step in standard form."""
        visible, hidden = model.visible.standard(), model.hidden.standard()
        if "work.origin" in slots and visible is not None:
            slots["work.origin"].copy_(visible[0])
            slope = slots["work.input"].new_zeros(math.prod(model.hidden.shape))
            for bias, shape, start in self.biases:
                if bias.grad is not None:
                    size = math.prod(shape)
                    slope[start : start + size] = (bias.grad * (bias.numel() / size)).expand(shape).flatten()
            with torch.enable_grad():
                input = self._input(model, slots["work.origin"])
                moved = [p for module in (model.coupling, model.visible) for p in module.parameters() if p.requires_grad]
                slots["work.input"].copy_(input.detach())
                wanted = input.requires_grad
                shifts = torch.autograd.grad(input, moved, -slope.reshape(input.shape), allow_unused=True) if wanted else ()
            for parameter, shift in zip(moved, shifts, strict=False):
                if shift is not None and parameter.grad is not None:
                    parameter.grad.add_(shift)
        scales = [1.0 if found is None else found[1].flatten() for found in (visible, hidden)]
        for name, factor in model.coupling.scales(*scales).items():
            gradient = model.coupling.get_parameter(name).grad
            if gradient is not None:
                gradient.mul_(factor * factor)
        for side, unit in (("visible", model.visible), ("hidden", model.hidden)):
            unit.standardise_gradient()
            for name in unit.bounds(None):
                bounded = unit.get_parameter(name).grad
                if bounded is not None:
                    square = slots[f"{side}.{name}"]
                    now = bounded.square()
                    bounded.mul_(SLOWER / square.sqrt().clamp_min(1.0))
                    square.lerp_(now, FORGETTING)

    @torch.no_grad()
    def after(self, model: RBM, slots: Slots) -> None:
        if "work.origin" in slots:
            self._shift(self._input(model, slots["work.origin"]) - slots["work.input"])
        for parameter, low, high in self.bounds:
            torch.clamp(parameter, low, high, out=parameter)

    def _input(self, model: RBM, origin: Tensor) -> Tensor:
        """The coupling's input to the hidden units when the visible units are at their origin: (*hidden.shape)."""
        return model.coupling.bilinear(model.visible.statistic(origin)[None])[0]

    def _shift(self, input: Tensor) -> None:
        """Subtract an input, (*hidden.shape), from the hidden biases."""
        flat = input.flatten()
        for bias, shape, start in self.biases:
            size = math.prod(shape)
            bias.sub_(flat[start : start + size].reshape(shape).sum_to_size(bias.shape) * (bias.numel() / size))

"""Centred and enhanced gradients."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.learning.transforms.biases import learnt_biases
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM
from harmonium.units import Unit

RATE = 0.01  # of the running means (Melchior, Fischer & Wiskott 2016)


class Centring(Transform):
    """Learns in the parameters of the centred machine, E = ... - (s_v - μ)' W (s_h - λ), whose bias gradients are decoupled from the means.

    Learning is then invariant to which state of a binary unit is called 1 (Montavon & Müller 2012; Melchior, Fischer & Wiskott 2016). The
    machine itself does not change its form. In `fit` the argument `gradient` adds this transform.

    Parameters
    ----------
    model : RBM
        The machine.
    offsets : {"data", "both"}, default "data"
        "data": μ and λ are running means of the data's statistics and of the hidden units' statistics given the data ("centred"). All
        batches count alike until there are 100 of them, so nothing depends on the start; after that the rate is 0.01. "both": they are the
        average of the data's and the model's mean, of the present batch alone (the "enhanced gradient" of Cho, Raiko & Ilin 2011).

    Raises
    ------
    ValueError
        For documents, whose length scales the hidden biases.

    Notes
    -----
    With b = b' - W λ and c = c' - W' μ both machines have the same energies up to a constant. The gradient of (b', c', W) is that of (b, c)
    and, for W, the plain one with (s_v - μ) (s_h - λ)' in place of s_v s_h'. After the optimiser's step the biases compensate for the
    change of W λ and W' μ. So any optimiser learns as if in the centred machine.

    A layer may have no bias to compensate with (exponential units), or one bias for several units (a feature map). Then the share that its
    biases can express is centred. For "both" the model's mean differs from the data's by the gradient of its biases: by nothing, or by the
    same amount for all of these units. For any offsets, exact steps ascend the likelihood.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), gradient="centred", epochs=2, progress=False)
    >>> sorted(name for name in state.slots["centring"] if not name.startswith("work."))
    ['hidden', 'seen', 'visible']
    """

    completes: ClassVar[bool] = True

    def __init__(self, model: RBM, offsets: Literal["data", "both"] = "data") -> None:
        if model.visible.scales_hidden_bias:
            raise ValueError('documents have no centred gradient: their length scales the hidden biases; use gradient="plain"')
        self.offsets = offsets
        self.sides = {"visible": list(learnt_biases(model.visible)), "hidden": list(learnt_biases(model.hidden))}

    @torch.no_grad()
    def init(self, model: RBM, steps: int) -> Slots:
        """The initial offsets, from the biases alone."""
        slots = _of_biases(model)
        seen = slots["visible"].new_full((), float(steps))  # total weight of the batches so far; a batch of average weight counts 1
        work = {f"work.{name}": torch.empty_like(slots[side]) for side in self.sides for name in (side, f"mean.{side}")}
        return slots | {"seen": seen} | work

    @torch.no_grad()
    def start(self, model: RBM, scale: Tensor | None) -> None:
        """Convert the present hidden biases to those of the centred machine."""
        self._move("hidden", self._inputs(model, _of_biases(model))[1])

    @torch.no_grad()
    def collect(self, model: RBM, positive: Positive, slots: Slots) -> list[Tensor]:
        data = positive.phase
        for side, statistic in (("visible", data.s_v), ("hidden", model.hidden.statistic(data.hidden_mean))):
            slots[f"work.mean.{side}"].copy_(positive.average(statistic.reshape(len(statistic), -1)))
        return [slots[f"work.mean.{side}"] for side in self.sides]

    @torch.no_grad()
    def observe(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Move the offsets by a batch and, for "both", half way on to the model's means."""
        total, seen = positive.total, slots["seen"]
        seen += total
        tiny = torch.finfo(seen.dtype).tiny
        rate = torch.clamp(1 / seen.clamp_min(tiny), min=RATE) * total if self.offsets == "data" else torch.ones_like(seen)
        weight = positive.total if isinstance(positive.total, Tensor) else seen.new_ones(())
        rate = rate.clamp(max=1.0) * (weight > 0)  # a batch of weight zero does not move them
        for side in self.sides:
            slots[side].lerp_(slots[f"work.mean.{side}"] / weight.clamp_min(tiny), rate)
        if self.offsets == "both":
            for side in self.sides:
                slots[side].add_(self._slope(model, side) / weight.clamp_min(tiny), alpha=0.5)  # minus the difference of the two means

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Convert the `.grad` of the learned ones of (b, c, W) to that of (b', c', W)."""
        slopes = {side: self._slope(model, side) for side in self.sides}
        core = model.coupling.core
        left = torch.stack([slopes["visible"], slots["visible"]]).reshape(2, *core.visible)
        right = torch.stack([slots["hidden"], slopes["hidden"]]).reshape(2, *core.hidden)
        core.accumulate_gradient(left, right, weights=None, scale=1.0, fresh=False)
        for side, input in zip(self.sides, self._inputs(model, slots), strict=True):
            slots[f"work.{side}"].copy_(input)

    @torch.no_grad()
    def after(self, model: RBM, slots: Slots) -> None:
        for side, now in zip(self.sides, self._inputs(model, slots), strict=True):
            self._move(side, now - slots[f"work.{side}"])

    def _inputs(self, model: RBM, slots: Slots) -> tuple[Tensor, Tensor]:
        """W λ and W' μ, flat."""
        core = model.coupling.core
        mu, lam = slots["visible"].reshape(1, *core.visible), slots["hidden"].reshape(1, *core.hidden)
        return core.to_visible(lam).flatten(), core.to_hidden(mu).flatten()

    def _slope(self, model: RBM, side: str) -> Tensor:
        """The gradient of each unit's bias, flat. Units that share a bias have equal shares of its gradient."""
        unit: Unit = getattr(model, side)
        slope = next(model.parameters()).new_zeros(math.prod(unit.statistic_shape))
        for bias, shape, start in self.sides[side]:
            size = math.prod(shape)
            if bias.grad is not None:
                own = bias.grad if bias.shape == shape else bias.grad * (bias.numel() / size)
                slope[start : start + size].view(shape).copy_(own)
        return slope

    def _move(self, side: str, input: Tensor) -> None:
        """Subtract an input, flat, from a layer's biases."""
        for bias, shape, start in self.sides[side]:
            size = math.prod(shape)
            own = input[start : start + size].reshape(shape)
            bias.sub_(own if bias.shape == shape else own.sum_to_size(bias.shape) * (bias.numel() / size))


def _of_biases(model: RBM) -> Slots:
    """The offsets from the biases alone, flat."""
    sides = {"visible": model.visible, "hidden": model.hidden}
    return {side: unit.statistic(unit.mean(unit.zero_input())).flatten().detach().clone() for side, unit in sides.items()}

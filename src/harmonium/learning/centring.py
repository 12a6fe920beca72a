"""Centred and enhanced gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback
from harmonium.models import RBM, Phase
from harmonium.models.normalisable import leaves
from harmonium.units import Unit

RATE = 0.01  # of the running means (Melchior, Fischer & Wiskott 2016)


class Centring(Callback):
    """Learns in the parameters of the centred machine, E = ... - (s_v - μ)' W (s_h - λ), whose biases do not hear of the weights' means.

    The machine itself stays as it is: with b = b' - W λ and c = c' - W' μ both have the same energies but for a constant. The gradient of
    (b', c', W) is that of (b, c) and, for W, the plain one with (s_v - μ) (s_h - λ)' in the place of s_v s_h'; after the optimiser's
    step the biases make up for what the step changed in W λ and W' μ, so that any optimiser learns as if in the centred machine. That
    makes learning indifferent to which state of a binary unit is called 1 (Montavon & Müller 2012; Melchior, Fischer & Wiskott 2016).

    `offsets`: "data", μ and λ are running means of the data's statistics and of the hidden units' given the data ("centred"), of all
    batches so far alike until there are 1 / RATE of them, so that nothing depends on where they start;
    "both", the average of the data's and the model's mean, of the present batch alone (the "enhanced gradient" of Cho, Raiko & Ilin 2011).
    They are kept in `state.offsets`. Where a layer has no bias to make up (exponential units), or one bias for several units (a feature
    map), offsets do for it what they can: the share that its biases can express is centred, and of "both" the model's mean differs from
    the data's by what its biases' gradient says, nothing or the same for all of them. Whatever the offsets, exact steps are an ascent.
    """

    def __init__(self, model: RBM, offsets: Literal["data", "both"] = "data") -> None:
        if model.visible.scales_hidden_bias:
            raise ValueError('documents have no centred gradient: their length scales the hidden biases; use gradient="plain"')
        self.model, self.offsets = model, offsets
        self.sides = {"visible": list(_biases(model.visible)), "hidden": list(_biases(model.hidden))}
        self.before: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def start(self, state: TrainingState, *, shift: bool) -> None:
        """The offsets that the biases alone make; with `shift` also hidden biases that are those of the centred machine as they stand."""
        visible, hidden = self.model.visible, self.model.hidden
        state.offsets = {
            "visible": visible.statistic(visible.mean(visible.blank())).flatten(),
            "hidden": hidden.statistic(hidden.mean(hidden.blank())).flatten(),
        }
        if shift:
            self._shift("hidden", self._inputs(state)[1])

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        if not state.offsets:  # a state trained by the plain gradient so far
            self.start(state, shift=False)

    @torch.no_grad()
    def observe(self, state: TrainingState, data: Phase, weights: Tensor | None) -> None:
        """Moves the offsets by a batch of data; `weights`: (cases,), adding up to 1, or None."""
        rate = max(RATE, 1 / (state.step + 1)) if self.offsets == "data" else 1.0
        for side, statistic in (("visible", data.s_v), ("hidden", self.model.hidden.statistic(data.hidden_mean))):
            rows = statistic.reshape(len(statistic), -1)
            if weights is None:
                state.offsets[side].lerp_(rows.mean(0), rate)
            else:  # a batch that weighs nothing moves nothing
                state.offsets[side].add_(weights @ rows - weights.sum() * state.offsets[side], alpha=rate)

    @torch.no_grad()
    def contrast(self, state: TrainingState) -> None:
        """Moves the offsets half way to the model's means, where "both" count, by a `.grad` of data minus model and nothing else."""
        if self.offsets == "both":
            for side in self.sides:
                state.offsets[side].add_(self._slope(side), alpha=0.5)  # minus the difference of the two means

    @torch.no_grad()
    def gradient(self, state: TrainingState) -> None:
        """The `.grad` of (b, c, W), whatever is learnt, becomes that of (b', c', W)."""
        slopes = {side: self._slope(side) for side in self.sides}
        mu, lam = state.offsets["visible"], state.offsets["hidden"]
        core = self.model.coupling.core
        left = torch.stack([slopes["visible"], mu]).reshape(2, *core.visible)
        right = torch.stack([lam, slopes["hidden"]]).reshape(2, *core.hidden)
        core.accumulate_gradient(left, right, weights=None, scale=1.0, fresh=False)
        self.before = self._inputs(state)

    @torch.no_grad()
    def on_step(self, state: TrainingState) -> None:
        if self.before is not None:
            for side, now, before in zip(self.sides, self._inputs(state), self.before, strict=True):
                self._shift(side, now - before)

    def _inputs(self, state: TrainingState) -> tuple[Tensor, Tensor]:
        """W λ and W' μ, flat."""
        core = self.model.coupling.core
        mu, lam = state.offsets["visible"].reshape(1, *core.visible), state.offsets["hidden"].reshape(1, *core.hidden)
        return core.to_visible(lam).flatten(), core.to_hidden(mu).flatten()

    def _slope(self, side: str) -> Tensor:
        """The gradient of each unit's bias, flat; units that share one have equal shares of it."""
        unit: Unit = getattr(self.model, side)
        slope = next(self.model.parameters()).new_zeros(math.prod(unit.statistic_shape))
        for bias, shape, start in self.sides[side]:
            size = math.prod(shape)
            if bias.grad is not None:
                own = bias.grad if bias.shape == shape else bias.grad * (bias.numel() / size)
                slope[start : start + size].view(shape).copy_(own)
        return slope

    def _shift(self, side: str, input: Tensor) -> None:
        """Takes an input, flat, off a layer's biases."""
        for bias, shape, start in self.sides[side]:
            size = math.prod(shape)
            own = input[start : start + size].reshape(shape)
            bias.sub_(own if bias.shape == shape else own.sum_to_size(bias.shape) * (bias.numel() / size))


def _biases(unit: Unit) -> Iterator[tuple[nn.Parameter, tuple[int, ...], int]]:
    """The biases that add to a layer's input and are learnt, with the shape of their part of the layer and where it begins."""
    for start, _, leaf in leaves(unit):
        bias = getattr(leaf, "bias", None)
        if isinstance(bias, nn.Parameter) and bias.requires_grad:
            yield bias, leaf.shape, start

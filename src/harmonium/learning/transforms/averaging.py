"""Averaged parameters."""

from __future__ import annotations

import torch

from harmonium.learning.rules.rule import Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM

STEPS = "steps"


class Averaging(Transform):
    """Keeps the running mean of every parameter over about the last `share` of all steps so far.

    With persistent chains the parameters wander about the optimum, the more the higher the learning rate; their mean wanders less, and
    is most often the better model (Polyak & Juditsky 1992). Of t steps, step i weighs about in proportion to i^(1/share - 1)
    (the polynomial-decay averaging of Shamir & Zhang 2013): a share of 1 is the plain mean of all, one of 0.03 remembers the last 3 %,
    at every moment. `state.averaged()` gives the model that has them; the one that learns is left alone.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"averaging takes the share of the steps so far that it remembers, above 0 and at most 1, found {share}")
        self.share = share

    @torch.no_grad()
    def init(self, model: torch.nn.Module, steps: int) -> Slots:
        """The parameters as they are before the first step."""
        like = next(model.parameters())
        means = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        return {STEPS: like.new_full((), float(steps)), **means}

    @torch.no_grad()
    def after(self, model: RBM | torch.nn.Module, slots: Slots) -> None:
        steps = slots[STEPS].add_(1)
        newest = 1 / (self.share * steps + 1 - self.share)
        for name, parameter in model.named_parameters():
            slots[name].lerp_(parameter, newest)

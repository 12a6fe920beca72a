"""Averaged parameters."""

from __future__ import annotations

import torch

from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback


class Averaging(Callback):
    """Keeps the running mean of every parameter over about the last `share` of all steps so far, in `state.average`.

    With persistent chains the parameters wander about the optimum, the more the higher the learning rate; their mean wanders less, and
    is most often the better model (Polyak & Juditsky 1992). Of t steps, step i weighs about in proportion to i^(1/share - 1)
    (the polynomial-decay averaging of Shamir & Zhang 2013): a share of 1 is the plain mean of all, one of 0.03 remembers the last 3 %,
    at every moment. `state.averaged()` gives the model that has them; the one that learns is left alone.
    """

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"averaging takes the share of the steps so far that it remembers, above 0 and at most 1, found {share}")
        self.share = share

    def start(self, state: TrainingState) -> None:
        """The parameters as they are before the first step."""
        state.average = {name: parameter.detach().clone() for name, parameter in state.model.named_parameters()}

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        if not state.average:  # a state that was not averaged so far
            self.start(state)

    @torch.no_grad()
    def on_step(self, state: TrainingState) -> None:
        newest = 1 / (self.share * state.step + 1 - self.share)
        for name, parameter in state.model.named_parameters():
            state.average[name].lerp_(parameter, newest)

"""The temperature of a mixture's responsibilities, which falls to 1 while it learns."""

from __future__ import annotations

from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback
from harmonium.models import MixtureOfRBMs

SHARE = 0.5  # of the training, at the end of which the temperature is 1


class Cooling(Callback):
    """Lets the temperature fall from the mixture's own to 1, at a constant ratio from update to update. After training it is 1.

    Parameters
    ----------
    mixture : MixtureOfRBMs
        The mixture.
    """

    def __init__(self, mixture: MixtureOfRBMs) -> None:
        self.mixture, self.updates = mixture, 1.0

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.updates = max(1.0, SHARE * epochs * batches)
        self.on_step(state)

    def on_step(self, state: TrainingState) -> None:
        left = max(0.0, 1.0 - state.step / self.updates)
        self.mixture.hidden.temperature.fill_(self.mixture.start_temperature**left)

    def on_end(self, state: TrainingState) -> None:
        self.mixture.hidden.temperature.fill_(1.0)


def cooling(model: object) -> list[Callback]:
    """What cools a mixture; nothing for other models."""
    return [Cooling(model)] if isinstance(model, MixtureOfRBMs) else []

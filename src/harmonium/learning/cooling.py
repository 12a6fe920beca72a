"""The temperature of a mixture's responsibilities, which falls to 1 while it learns."""

from __future__ import annotations

from torch import Tensor

from harmonium.learning.defaults import largest_variance
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback
from harmonium.learning.transforms.standardising import StandardForm
from harmonium.models import MixtureOfRBMs

SHARE = 0.5  # of the training, at the end of which the temperature is 1
TIMES = 2.0  # the data's largest variance; there squared distances, so softened, split one cluster in two (Rose, Gurewitz & Fox 1990)


class Cooling(Callback):
    """Lets a mixture's temperature fall to 1, at a constant ratio from update to update. After training it is 1.

    Parameters
    ----------
    mixture : MixtureOfRBMs
        The mixture.
    start : float
        The temperature at the first update.
    """

    def __init__(self, mixture: MixtureOfRBMs, start: float) -> None:
        self.mixture, self.start, self.updates = mixture, start, 1.0

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.updates = max(1.0, SHARE * epochs * batches)
        self.on_step(state)

    def on_step(self, state: TrainingState) -> None:
        self.mixture.hidden.temperature.fill_(self.start ** max(0.0, 1.0 - state.step / self.updates))

    def on_end(self, state: TrainingState) -> None:
        self.mixture.hidden.temperature.fill_(1.0)


def cooling(model: object, cases: tuple[Tensor, Tensor | None] | None) -> list[Callback]:
    """What cools a mixture, nothing for other models. `cases`: some training cases and their weights; None for a stream."""
    if not isinstance(model, MixtureOfRBMs):
        return []
    start = model.temperature
    if start is None:
        start = 1.0 if cases is None else max(1.0, TIMES * largest_variance(model.visible, *cases, StandardForm.changes(model)))
    return [Cooling(model, start)]

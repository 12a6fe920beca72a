"""What may stand between a learning rule and the parameters."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.models import RBM


class Transform:
    """Changes the gradient before the optimiser's step, or the parameters after it: override what you need.

    What it keeps between updates stands in slots that `init` makes.
    """

    completes: ClassVar[bool] = False
    """Whether `after` completes any step of the weights, as one that has the biases make up for it does; fast weights' steps too."""

    @property
    def name(self) -> str:
        """Of its slots in the training state."""
        return type(self).__name__.lower()

    def start(self, model: RBM, scale: Tensor | None) -> None:
        """Once visible units have been fitted to the data. `scale`: what their states were measured in before, of real-valued ones."""

    def init(self, model: RBM, steps: int) -> Slots:
        """The slots before the first update; `steps`: how many updates there were without this transform."""
        return {}

    def observe(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Looks at the batch, and at the rule's gradient as it stands in `.grad`, before any transform changes it."""

    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Changes every `.grad`."""

    def after(self, model: RBM, slots: Slots) -> None:
        """After the optimiser's step."""

    def report(self, model: RBM, slots: Slots, steps: int) -> None:
        """At the end of training, after `steps` updates in all: warns of what the user should know."""

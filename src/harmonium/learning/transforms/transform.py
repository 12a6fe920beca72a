"""The interface of a gradient transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.models import RBM


class Transform:
    """Changes the gradient before the optimiser's step, or the parameters after it.

    To write a transform, subclass this class and override the methods that you need. What it keeps between updates goes in slots that
    `init` makes.

    Examples
    --------
    A transform that clips every gradient, element by element:

    >>> import torch, harmonium as hm
    >>> class Clip(hm.Transform):
    ...     def gradient(self, model, positive, slots):
    ...         for parameter in model.parameters():
    ...             parameter.grad.clamp_(-0.1, 0.1)
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), transforms=[Clip()], epochs=2, progress=False)
    >>> len(state.history)
    2
    """

    completes: ClassVar[bool] = False
    """Whether `after` completes any step of the weights, as one that has the biases make up for it does; fast weights' steps too."""

    @property
    def name(self) -> str:
        """The name of its slots in the training state."""
        return type(self).__name__.lower()

    def start(self, model: RBM, scale: Tensor | None) -> None:
        """Called once, after the visible units have been fitted to the data.

        `scale` holds the previous scales of real-valued visible units; it is None if there are no such units.
        """

    def init(self, model: RBM, steps: int) -> Slots:
        """The slots before the first update. `steps` is the number of updates that were made without this transform."""
        return {}

    def collect(self, model: RBM, positive: Positive, slots: Slots) -> Sequence[Tensor]:
        """Averages over the batch that the transform uses, written into slots of its own, "work." at the start of their names.

        Several processes sum them, in place, with the gradient, because each process sees its own cases only. Called before `observe`.
        """
        return ()

    def observe(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Called with the batch and the rule's gradient, in `.grad`, before any transform changes it."""

    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        """Change `.grad` of the parameters, in place."""

    def after(self, model: RBM, slots: Slots) -> None:
        """Called after the optimiser's step."""

    def report(self, model: RBM, slots: Slots, steps: int) -> None:
        """Called at the end of training, after `steps` updates in all. Warn of what the user should know."""

"""A mixture whose components keep an equal part of the data."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM


class Balance(Transform):
    """Moves the bias a_k of each component of a mixture, after each update, towards an equal share of the data. `fit` adds it to mixtures.

    Contrastive divergence compares a case with a reconstruction by the same component. It says next to nothing of how high the components'
    free energies stand beside each other, so a component that is ahead takes ever more cases, and others die.

    Parameters
    ----------
    rate : float
        The change of a_k per update, in nats: `rate` · (1 / K - mean responsibility over the batch).
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def init(self, model: RBM, steps: int) -> Slots:
        return {"work.pull": model.hidden.zero_input()[:, 0]}

    @torch.no_grad()
    def collect(self, model: RBM, positive: Positive, slots: Slots) -> list[Tensor]:
        slots["work.pull"].copy_(positive.average(positive.phase.hidden_mean[..., 0]))
        return [slots["work.pull"]]

    @torch.no_grad()
    def observe(self, model: RBM, positive: Positive, slots: Slots) -> None:
        pull = slots["work.pull"]
        pull.neg_().add_(positive.total / len(pull))

    @torch.no_grad()
    def after(self, model: RBM, slots: Slots) -> None:
        model.hidden.get_parameter("bias")[:, 0].add_(slots["work.pull"], alpha=self.rate)

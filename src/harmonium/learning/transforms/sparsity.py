"""A sparsity target for the hidden units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM


@dataclass(frozen=True)
class Sparsity(Transform):
    """Pulls each hidden unit's running mean activity q towards `target` (Hinton 2010, section 11; Nair & Hinton 2009).

    q ← decay · q + (1 - decay) · (the batch's mean). The penalty's derivative with respect to a hidden unit's total input,
    `cost` · (q - target), is added to the gradients of its bias and, times each visible statistic's mean, of its weights, so that the
    weights do not grow to make up for a sinking bias. Of a deep Boltzmann machine it is the odd layers' units that have the target.
    """

    target: float
    cost: float = 0.01
    decay: float = 0.9

    def init(self, model: RBM, steps: int) -> Slots:
        like = next(model.parameters())
        return {"activity": torch.full(model.hidden.shape, self.target, dtype=like.dtype, device=like.device)}

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        data, activity, total = positive.phase, slots["activity"], positive.total
        mean = positive.average(data.hidden_mean.flatten(1)).reshape(model.hidden.shape)
        if isinstance(total, Tensor):  # a heavy batch moves the running mean as several do
            kept = self.decay**total
            activity.mul_(kept).add_((1 - kept) * mean / total.clamp_min(torch.finfo(total.dtype).tiny))
        else:
            activity.mul_(self.decay).add_(mean, alpha=1 - self.decay)
        slope = self.cost * total * (activity - self.target)
        slopes = slope.expand(len(data.v), *slope.shape)
        model.coupling.accumulate_gradient(
            data.s_v, slopes, **{"weights": None} | positive.weighting(-1.0), fresh=False, given=positive.given
        )
        model.hidden.add_gradient(model.hidden.parameter_gradient(slope[None], None), scale=-1.0, fresh=False)

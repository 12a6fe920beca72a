"""A sparsity target for the hidden units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.models import RBM, Phase
from harmonium.units import Given


@dataclass(frozen=True)
class Sparsity:
    """Pulls each hidden unit's running mean activity q towards `target` (Hinton 2010, section 11; Nair & Hinton 2009).

    q ← decay · q + (1 - decay) · (the batch's mean). The penalty's derivative with respect to a hidden unit's total input,
    `cost` · (q - target), is added to the gradients of its bias and, times each visible statistic's mean, of its weights, so that the
    weights do not grow to make up for a sinking bias. Of a deep Boltzmann machine it is the odd layers' units that have the target.
    """

    target: float
    cost: float = 0.01
    decay: float = 0.9

    @torch.no_grad()
    def accumulate_gradient(self, model: RBM, data: Phase, weights: Tensor | None, activity: Tensor, given: Given | None = None) -> None:
        """Moves the running mean `activity`, (*hidden.shape), in place and adds the penalty's gradient to every `.grad`.

        `weights`: each case's share of the batch, (cases,), adding up to one, or all zero for a batch that is to teach nothing; `given`:
        what is given of each case.
        """
        share = torch.full((len(data.v),), 1 / len(data.v)).to(data.v) if weights is None else weights
        mean, total = torch.tensordot(share, data.hidden_mean, dims=1), share.sum()
        activity.add_(mean - total * activity, alpha=1 - self.decay)
        slope = self.cost * total * (activity - self.target)
        slopes = slope.expand(len(data.v), *slope.shape)
        model.coupling.accumulate_gradient(data.s_v, slopes, weights=share, scale=-1.0, fresh=False, given=given)
        for name, value in model.hidden.parameter_gradient(slope[None], None).items():
            parameter = model.hidden.get_parameter(name)
            assert parameter.grad is not None
            parameter.grad.sub_(value)

"""A sparsity target for the hidden units."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Slots
from harmonium.learning.transforms.biases import learnt_biases
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM
from harmonium.units import NOTHING, Given


@dataclass(frozen=True)
class Sparsity(Transform):
    """Pulls each hidden unit's running mean activity q towards `target` (Hinton 2010, section 11; Nair & Hinton 2009).

    In a deep Boltzmann machine the target applies to the units of the odd layers. `fit` takes it as its argument `sparsity`.

    Parameters
    ----------
    target : float
        The mean activity wanted: the mean state of each hidden unit. Of Bernoulli and Softmax units that is the probability to be on; of
        rectified, counting and exponential units it is a mean in their own units, above 0.
    cost : float, default 0.01
        Weight of the penalty.
    decay : float, default 0.9
        Decay of the running mean at each update.

    Notes
    -----
    q ← decay · q + (1 - decay) · (the batch's mean). The penalty's derivative with respect to a hidden unit's total input is `cost` · (q -
    target). It is added to the gradient of the unit's bias and, times the mean of each visible statistic, to that of its weights. So the
    weights do not grow to compensate for a falling bias. The derivative is that of ½ (q - target)² with the slope of the mean left out,
    which keeps the sign of each pull and lets units that are hardly ever on recover.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), sparsity=hm.Sparsity(target=0.1, cost=1.0), epochs=10, progress=False)
    >>> bool((rbm.hidden.bias < 0).all())
    True
    """

    target: float
    cost: float = 0.01
    decay: float = 0.9

    def init(self, model: RBM, steps: int) -> Slots:
        like = next(model.parameters())
        target = torch.full(model.hidden.shape, self.target, dtype=like.dtype, device=like.device)
        return {"activity": target, "work.mean": torch.empty_like(target)}

    @torch.no_grad()
    def collect(self, model: RBM, positive: Positive, slots: Slots) -> list[Tensor]:
        """The means of the hidden units, of the visible statistics and of the context: the penalty's gradient is linear in each."""
        means = {"mean": positive.phase.hidden_mean, "statistic": positive.phase.s_v, "context": positive.given.context}
        found = []
        for name, values in means.items():
            if values is not None:
                mean = positive.average(values.to(positive.phase.s_v).flatten(1)).reshape(values.shape[1:])
                slots.setdefault(f"work.{name}", torch.empty_like(mean)).copy_(mean)
                found.append(slots[f"work.{name}"])
        return found

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots) -> None:
        activity, mean, total = slots["activity"], slots["work.mean"], positive.total
        if isinstance(total, Tensor):  # a heavy batch moves the running mean as several batches do
            kept = self.decay**total
            activity.mul_(kept).add_((1 - kept) * mean / total.clamp_min(torch.finfo(total.dtype).tiny))
        else:
            activity.mul_(self.decay).add_(mean, alpha=1 - self.decay)
        slope = self.cost * total * (activity - self.target)
        statistic, context = slots["work.statistic"][None], slots.get("work.context")
        given = NOTHING if context is None else Given(context=context[None])
        model.coupling.accumulate_one_way(statistic, slope[None], upward=True, weights=None, scale=-1.0, fresh=False, given=given)
        pull = slope.flatten()
        for bias, shape, start in learnt_biases(model.hidden):
            assert bias.grad is not None
            bias.grad.add_(pull[start : start + math.prod(shape)].reshape(shape).sum_to_size(bias.shape))

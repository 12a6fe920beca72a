"""Averaged parameters."""

from __future__ import annotations

import torch

from harmonium.learning.rules.rule import Slots
from harmonium.learning.transforms.transform import Transform
from harmonium.models import RBM
from harmonium.units.checks import as_number

STEPS = "steps"


class Averaging(Transform):
    """Keeps the running mean of every parameter over about the last `share` of all steps so far.

    With persistent chains the parameters fluctuate around the optimum, more so at higher learning rates. Their mean fluctuates less and is
    usually the better model (Polyak & Juditsky 1992). `state.averaged()` returns the model with the averaged parameters. The learning model
    is not changed. In `fit` the argument `averaging` adds this transform.

    Parameters
    ----------
    share : float
        The share of the steps so far that the mean covers, above 0 and at most 1.

    Raises
    ------
    ValueError
        For a share outside this range.

    Notes
    -----
    Of t steps, step i has a weight about in proportion to i^(1/share - 1), the polynomial-decay averaging of Shamir & Zhang (2013). A share
    of 1 is the plain mean of all steps. A share of 0.03 covers the last 3 % of the steps at every moment. For averaging see Polyak &
    Juditsky (1992), doi:10.1137/0330046.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), averaging=0.5, epochs=2, progress=False)
    >>> state.averaged().coupling.weight.shape
    torch.Size([6, 4])
    """

    def __init__(self, share: float) -> None:
        if not 0 < as_number(share) <= 1:
            raise ValueError(f"averaging takes a share of the steps so far, above 0 and at most 1, found {share!r}")
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

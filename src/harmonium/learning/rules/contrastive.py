"""Contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Rule, Slots
from harmonium.models import RBM


@dataclass(frozen=True)
class ContrastiveDivergence(Rule):
    """CD-k: the particles are the data after `steps` sweeps of block Gibbs sampling (Hinton 2002).

    Binary hidden states drive every reconstruction. The particles' hidden units are averaged out, as the data's are.

    Parameters
    ----------
    steps : int, default 1
        Number of Gibbs sweeps per update, at least one.
    reconstruction : {"sample", "mean"}, default "sample"
        "sample" draws the visible states, as maximum likelihood requires. "mean" uses their means: Hinton's probabilities, which have less
        noise and which he uses for pre-training.

    Raises
    ------
    ValueError
        For fewer than one step, or another `reconstruction`.

    Notes
    -----
    The gradient is <∂E/∂θ>_data - <∂E/∂θ>_particles. See Hinton (2002), doi:10.1162/089976602760128018.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), negative=hm.ContrastiveDivergence(3), epochs=2, progress=False)
    >>> len(state.history)
    2
    """

    steps: int = 1
    reconstruction: Literal["mean", "sample"] = "sample"

    paired: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"contrastive divergence takes at least one step, found {self.steps}")
        if self.reconstruction not in ("mean", "sample"):
            raise ValueError(f'reconstruction must be "mean" or "sample", found {self.reconstruction!r}')

    def particles(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> Tensor:
        data, given = positive.phase, positive.given
        v, h = data.v, model.hidden.sample(data.input, generator=generator, mean=data.hidden_mean)
        for step in range(self.steps):
            if step:
                h = model.sample_hidden(v, generator=generator, given=given)
            mean = self.reconstruction == "mean"
            v = model.visible_mean(h, given) if mean else model.sample_visible(h, generator=generator, given=given)
        return v

"""Persistent contrastive divergence for documents of different lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Rule, Slots
from harmonium.models import RBM
from harmonium.processes import own_share
from harmonium.units import Given


@dataclass(frozen=True)
class PersistentDocuments(Rule):
    """PCD of a replicated softmax: persistent chains of hidden states, of which each draws a document as long as one of the batch.

    Every length of a document has a distribution of its own over the same hidden states. A chain keeps its hidden state from update to
    update and takes the length of a document of the present batch: the longest chain takes that of the longest document, and so on, so that
    lengths change little. Chains find modes far from all documents. Contrastive divergence, whose chains start at documents, never does.

    Parameters
    ----------
    chains : int, default 100
        Number of chains, at least one; best as many as a batch has documents, of which there may not be more.
    steps : int, default 1
        Sweeps per update, at least one.

    Raises
    ------
    ValueError
        For fewer than one chain or step. When learning starts: if cases have no lengths. While learning: if a batch has more documents than
        there are chains.

    Notes
    -----
    The gradient is <∂E/∂θ>_data - <∂E/∂θ>_chains. Persistent chains: Tieleman (2008), doi:10.1145/1390156.1390290.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.ReplicatedSoftmax(6), hm.Bernoulli(4))
    >>> counts = torch.tensor([[3, 0, 1, 0, 0, 0], [0, 0, 0, 2, 2, 9]])
    >>> state = hm.fit(rbm, counts, negative=hm.PersistentDocuments(chains=2), epochs=2, progress=False)
    >>> len(state.history)
    2
    """

    chains: int = 100
    steps: int = 1

    paired: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"persistent documents take at least one chain and one step, found {self.chains} and {self.steps}")

    @property
    def divided(self) -> Mapping[str, int]:
        return {"hidden": 0, "length": 0}

    def check(self, model: RBM, given: Given) -> None:
        if not model.visible.scales_hidden_bias:
            raise ValueError(f"persistent documents are chains of a replicated softmax, found {model.visible!r}: use hm.PersistentCD")

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        blank = model.hidden.zero_input(own_share(self.chains))
        return {"hidden": model.hidden.sample(blank, generator=generator), "length": blank.new_zeros(len(blank))}

    @torch.no_grad()
    def particles(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> Tensor:
        hidden, before, length = slots["hidden"], slots["length"], positive.given.length
        assert length is not None
        if len(length) > len(before):
            raise ValueError(f"a batch of {len(length)} documents needs as many chains, found chains={len(before)}")
        # The chain of each document, by rank of length; fewer documents take chains of evenly spaced ranks.
        ranks = torch.arange(len(length), device=length.device) * len(before) // len(length)
        chain = torch.empty_like(ranks).scatter_(0, length.argsort(stable=True), before.argsort(stable=True)[ranks])
        h = hidden[chain]
        for _ in range(self.steps):
            v = model.sample_visible(h, generator=generator, given=positive.given)
            h = model.sample_hidden(v, generator=generator, given=positive.given)
        hidden[chain], before[chain] = h, length.to(before)
        return v

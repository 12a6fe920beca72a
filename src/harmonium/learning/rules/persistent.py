"""Persistent contrastive divergence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from harmonium.learning.rules.rule import LATER, Positive, Rule, Slots, check_unpaired
from harmonium.models import RBM
from harmonium.processes import own_share
from harmonium.sampling.random_states import random_states
from harmonium.units.checks import as_number


class Sampler(Protocol):
    """A method that advances persistent chains."""

    @property
    def divided(self) -> Mapping[str, int]:
        """As `Rule.divided`."""

    def init(self, model: RBM, chains: int, generator: torch.Generator) -> Slots:
        """The slots before the first update.

        `chains` is one of them: (chains, *visible.shape), with an axis of replicas before if there are any.
        """

    def move(self, model: RBM, slots: Slots, steps: int, generator: torch.Generator) -> Tensor:
        """Advance the chains in place, and return the states of the machine itself: (chains, *visible.shape)."""

    def between(self, slots: Slots, step: int) -> None:
        """As `Rule.between`."""

    def metrics(self, slots: Slots) -> dict[str, float]:
        """As `Rule.metrics`."""


@dataclass(frozen=True)
class Gibbs:
    """Block Gibbs sampling of the machine itself, as the sampler of `PersistentCD`.

    Parameters
    ----------
    restarts : float, default 0
        The probability that a chain begins anew at an update, from random states. Chains that are never reset stay in the modes that they
        know, and a large machine may gather more probability in another, which `hm.likelihood.evaluate` finds and learning does not. A
        few new chains find it in time, and learning takes it away. Their first sweeps are no samples of the machine, which costs
        likelihood where there is no such mode: use a small probability, where `evaluate` has found one (docs/recipes/mnist-dbm.md).

    Raises
    ------
    ValueError
        For a probability outside 0 to 1.

    Notes
    -----
    Energy-based models of images are learnt from a buffer of chains of which a twentieth begins anew (Du & Mordatch 2019,
    arXiv:1903.08689).

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.PersistentCD(chains=50).sampler
    Gibbs(restarts=0.0)
    """

    restarts: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        if not 0 <= as_number(self.restarts) <= 1:
            raise ValueError(f"restarts is the probability that a chain begins anew at an update, from 0 to 1, found {self.restarts!r}")

    @property
    def divided(self) -> Mapping[str, int]:
        return {"chains": 0}

    def init(self, model: RBM, chains: int, generator: torch.Generator) -> Slots:
        return {"chains": model.visible.sample(model.visible.zero_input(chains), generator=generator)}

    def move(self, model: RBM, slots: Slots, steps: int, generator: torch.Generator) -> Tensor:
        chains = slots["chains"]
        if self.restarts:
            axes = len(model.visible.shape)
            anew = drawn_chains(chains, self.restarts, axes, generator)
            begun = random_states(model.visible, *chains.shape[: chains.dim() - axes], generator=generator)
            chains.copy_(torch.where(anew, begun, chains))
        return chains.copy_(model.gibbs(chains, steps=steps, generator=generator))

    def between(self, slots: Slots, step: int) -> None:
        """Nothing."""

    def metrics(self, slots: Slots) -> dict[str, float]:
        return {}


@dataclass(frozen=True)
class PersistentCD(Rule):
    """PCD: `chains` Markov chains of the model that are not reset and take `steps` sweeps per update (Tieleman 2008).

    It is also known as stochastic maximum likelihood (Younes 1989). It needs small learning rates, so that the chains keep up with the
    model. Visible states are always sampled. The number of chains is independent of the batch size.

    Parameters
    ----------
    chains : int, default 100
        Number of chains, at least one. Several processes divide them.
    steps : int, default 1
        Sweeps per update, at least one.
    sampler : Sampler, default Gibbs()
        `Gibbs()`, of which a few chains may begin anew, or `Tempering(...)`, whose chains cross between modes through higher temperatures.
    renewal : float, default 0
        The probability that a chain begins anew at an update, at a case of the batch. All begin there at the first update if it is above 0.
        At 1 this is contrastive divergence from cases drawn at random. Between the two a chain makes 1 / renewal steps on the average: it
        sees more of the machine than contrastive divergence does, and is not left behind by a machine that changes fast. It takes `Gibbs`.

    Raises
    ------
    ValueError
        For fewer than one chain or step, for a probability outside 0 to 1, and for one above 0 with another sampler. When learning starts:
        if the partition function depends on the case (absent units, the length of a document, a context), because the chains are of one
        machine. Missing values are accepted.

    Notes
    -----
    The gradient is <∂E/∂θ>_data - <∂E/∂θ>_chains. See Tieleman (2008), doi:10.1145/1390156.1390290.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), negative=hm.PersistentCD(chains=20), epochs=2, progress=False)
    >>> state.chains.shape
    torch.Size([20, 6])
    """

    chains: int = 100
    steps: int = 1
    sampler: Sampler = Gibbs()
    renewal: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"persistent CD takes at least one chain and one step, found {self.chains} and {self.steps}")
        if not 0 <= as_number(self.renewal) <= 1:
            raise ValueError(f"renewal is the probability that a chain begins anew at a case, from 0 to 1, found {self.renewal!r}")
        object.__setattr__(self, "renewal", float(self.renewal))  # a number of NumPy is described by its type alone
        if self.renewal and not isinstance(self.sampler, Gibbs):
            raise ValueError(f"chains that begin anew at cases are chains of Gibbs(), found renewal={self.renewal} and {self.sampler!r}")

    @property
    def divided(self) -> Mapping[str, int]:
        return self.sampler.divided

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        return self.beginning(self.sampler.init(model, own_share(self.chains), generator))

    def beginning(self, slots: Slots) -> Slots:
        """The slots before the first update, with these chains."""
        return slots | {"unbegun": torch.ones((), device=slots["chains"].device)} if self.renewal else slots

    @torch.no_grad()
    def particles(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> Tensor:
        check_unpaired(positive.given)
        if self.renewal:
            renew(slots["chains"], positive, slots["unbegun"].clamp_min(self.renewal), len(model.visible.shape), generator)
            slots["unbegun"].zero_()
        return self.sampler.move(model, slots, self.steps, generator)

    def between(self, model: RBM, slots: Slots, step: int) -> None:
        self.sampler.between(slots, step)

    def metrics(self, slots: Slots) -> dict[str, float]:
        return self.sampler.metrics(slots)


def renew(chains: Tensor, positive: Positive, probability: Tensor, axes: int, generator: torch.Generator) -> None:
    """Put each chain, with this probability, at a case of the batch, drawn by its weight. A process without a case puts none.

    Parameters
    ----------
    chains : Tensor
        (*leading, chains, *shape), changed in place.
    positive : Positive
        The batch, (*leading, cases, *shape).
    probability : Tensor
        One number.
    axes : int
        Number of axes of a case.
    generator : torch.Generator
        For all draws.
    """
    v, shares = positive.phase.v, positive.shares
    cases, count = v.dim() - axes - 1, chains.shape[-axes - 1]
    if not v.shape[cases]:
        return
    if isinstance(shares, Tensor):
        likely = shares.clamp_min(torch.finfo(shares.dtype).tiny)  # a batch without any weight is still one of cases
        at = torch.multinomial(likely, count, replacement=True, generator=generator)
    else:
        at = torch.randint(v.shape[cases], (count,), generator=generator, device=chains.device)
    anew = drawn_chains(chains, probability, axes, generator)
    chains.copy_(torch.where(anew, v.index_select(cases, at).to(chains.dtype), chains))


def drawn_chains(chains: Tensor, probability: Tensor | float, axes: int, generator: torch.Generator) -> Tensor:
    """Whether each chain is one of some that are drawn with this probability: (*leading, chains, *1s), as many 1s as a state has axes."""
    leading = chains.shape[: chains.dim() - axes]
    drawn = torch.rand(leading, generator=generator, device=chains.device) < probability
    return drawn.reshape(*leading, *[1] * axes)

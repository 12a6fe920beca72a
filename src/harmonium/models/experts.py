"""Mixtures and products of small models of the same data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.models.enumerate_states import enumerate_states
from harmonium.models.rbm import RBM
from harmonium.models.shown import Shown
from harmonium.models.takes import data_layer, takes
from harmonium.units import Unit

MOST_STATES = 2**16

Expert = Unit | RBM
"""A layer by itself, its units independent with their own biases, or an RBM."""


class Experts(Shown, ABC):
    """The common part of a mixture and a product: models of the same visible layer.

    Raises
    ------
    ValueError
        For no expert, and for experts whose visible layers differ in kind or shape.
    TypeError
        For experts that are neither layers nor RBMs.
    """

    def __init__(self, experts: Sequence[Expert]) -> None:
        super().__init__()
        if not experts:
            raise ValueError("expected at least one expert")
        others = [type(expert).__name__ for expert in experts if not isinstance(expert, Unit | RBM)]
        if others:
            raise TypeError(f"experts must be layers of units or RBMs, found {', '.join(others)}")
        for expert in experts:
            if isinstance(expert, Unit):
                expert.join_machine(visible=True)
        self.experts = nn.ModuleList(experts)
        kinds = {(type(_visible(expert)).__name__, _visible(expert).shape) for expert in experts}
        if len(kinds) > 1:
            raise ValueError(f"experts must model the same data, found visible layers of {sorted(kinds)}")

    def each(self) -> list[Expert]:
        """The experts as a typed list."""
        return [expert for expert in self.experts if isinstance(expert, Unit | RBM)]

    @property
    def visible(self) -> Unit:
        """The visible layer of the first expert. All experts have visible layers of this kind and shape."""
        return _visible(self.each()[0])

    def _states(self, v: Tensor) -> Tensor:
        """Data as states of the visible layer. Raises a ValueError for data outside its support."""
        self.visible.check_states(v)
        return self.visible.from_data(v, self.visible.zero_input())

    @abstractmethod
    def log_probability(self, v: Tensor) -> Tensor:
        """log p(v): (cases,) float64, in nats. Raises a ValueError for states outside the visible layer's support."""

    def accumulate_gradient(self, v: Tensor, *, weights: Tensor | None = None, scale: float = 1.0, fresh: bool = False) -> None:
        """Adds the exact scale · Σ_n weights_n · ∂/∂θ [-log p(v_n)] to every parameter's `.grad`.

        For a mixture, this is the gradient of each expert's own -log p_k, where each case has the expert's responsibility as its weight.
        The EM algorithm does the same (Dempster, Laird & Rubin 1977).

        Parameters
        ----------
        v : Tensor
            (cases, *visible.shape), data.
        weights : Tensor, optional
            (cases,), one per case by default.
        scale : float, default 1.0
            Factor of the sum.
        fresh : bool, default False
            Replace `.grad` instead of adding to it.
        """
        if fresh:
            self.zero_grad(set_to_none=True)
        values = self.log_probability(v)
        (-scale * (values if weights is None else weights * values).sum()).backward()  # type: ignore[no-untyped-call]

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"experts": self.each()}


class Mixture(Experts):
    """A weighted average of the experts' distributions. One expert generates each case.

    Parameters
    ----------
    experts : sequence of Unit or RBM
        Models of the same data. The units of a layer are independent. The partition function of an RBM is enumerated at every use, over at
        most 2^16 states of its smaller side. Experts that start equal stay equal, so start with different ones.

    Attributes
    ----------
    logits : Parameter
        (experts,), zero at the start. The mixing proportions are softmax(logits).

    Raises
    ------
    ValueError
        For no expert, and for experts whose visible layers differ in kind or shape.
    TypeError
        For experts that are neither layers nor RBMs.

    Notes
    -----
        p(v) = Σ_k π_k p_k(v)        π = softmax(logits)

    The entropy of a mixture is at least the mean of its experts' entropies. So a mixture is never sharper than its experts are on average.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> mixture = hm.Mixture([hm.Bernoulli(3), hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))])
    >>> v = hm.Bernoulli(3).states(torch.arange(8))  # all states
    >>> round(mixture.log_probability(v).exp().sum().item(), 6)
    1.0
    >>> tuple(mixture.responsibilities(v).shape)
    (8, 2)
    """

    def __init__(self, experts: Sequence[Expert]) -> None:
        super().__init__(experts)
        self.logits = nn.Parameter(torch.zeros(len(experts)))

    @takes(v=data_layer)
    def log_joint(self, v: Tensor) -> Tensor:
        """log π_k + log p_k(v): (cases, experts) float64, in nats."""
        v = self._states(v)
        found = [-_free_energy(expert, v).double() - _log_z(expert) for expert in self.each()]
        return torch.stack(found, dim=-1) + torch.log_softmax(self.logits.double(), dim=0)

    @takes(v=data_layer)
    def log_probability(self, v: Tensor) -> Tensor:
        return self.log_joint(v).logsumexp(-1)

    @takes(v=data_layer)
    @torch.no_grad()
    def responsibilities(self, v: Tensor) -> Tensor:
        """p(k | v), the probability that each expert generated the case: (cases, experts) float64."""
        return torch.softmax(self.log_joint(v), dim=-1)

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """`count` independent samples, (count, *visible.shape): an expert each, then a case from it."""
        chosen = torch.multinomial(torch.softmax(self.logits.double(), dim=0), count, replacement=True, generator=generator)
        states = torch.zeros(count, *self.visible.shape).to(self.visible.zero_input())
        for number, expert in enumerate(self.each()):
            places = (chosen == number).nonzero()[:, 0]
            states[places] = _draw(expert, len(places), generator)
        return states


class ProductOfExperts(Experts):
    """The normalised product of the experts' distributions (Hinton 2002).

    Where one expert assigns a low probability, the product does too. A product can be far sharper than each of its experts. An RBM is
    itself a product of one expert per hidden unit, whose form makes p(v | h) and p(h | v) tractable without enumeration.

    Parameters
    ----------
    experts : sequence of Unit or RBM
        Models of the same data. The visible layer has at most 2^16 states, which are enumerated for Z at every use of a probability.

    Raises
    ------
    ValueError
        For no expert, and for experts whose visible layers differ in kind or shape.
    TypeError
        For experts that are neither layers nor RBMs.

    Notes
    -----
        p(v) = Π_k p*_k(v) / Z = exp(-Σ_k F_k(v)) / Z

    F_k is an expert's free energy. For a layer it is the energy.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> product = hm.ProductOfExperts([hm.Bernoulli(3), hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))])
    >>> v = hm.Bernoulli(3).states(torch.arange(8))  # all states
    >>> round(product.log_probability(v).exp().sum().item(), 6)
    1.0
    """

    @takes(v=data_layer)
    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = Σ_k F_k(v), so that log p(v) = -F(v) - log Z: (cases,), in nats."""
        v = self._states(v)
        return torch.stack([_free_energy(expert, v) for expert in self.each()]).sum(0)

    def log_z(self) -> Tensor:
        """log Z in nats, float64, by enumeration of the visible states. Raises a ValueError for more than 2^16 states."""
        return (-self.free_energy(self._every()).double()).logsumexp(0)

    @takes(v=data_layer)
    def log_probability(self, v: Tensor) -> Tensor:
        return -self.free_energy(v).double() - self.log_z()

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """`count` independent samples, (count, *visible.shape), from the table of all visible states."""
        states = self._every()
        return states[_choose(-self.free_energy(states), count, generator)]

    def _every(self) -> Tensor:
        return enumerate_states(self.visible, MOST_STATES, "a product of experts")


def _visible(expert: Expert) -> Unit:
    return expert.visible if isinstance(expert, RBM) else expert


def _free_energy(expert: Expert, v: Tensor) -> Tensor:
    return expert.free_energy(v) if isinstance(expert, RBM) else expert.energy(v)


def _smaller_side(rbm: RBM) -> tuple[bool, Tensor, Tensor]:
    """Whether the hidden side is enumerated, its states or the visible ones, and log Σ exp(-E) over the other side for each."""
    rbm.check_normalisable()
    hidden = rbm.hidden.count <= rbm.visible.count
    states = enumerate_states(rbm.hidden if hidden else rbm.visible, MOST_STATES, "an RBM as an expert, on its smaller side,")
    return hidden, states, -(rbm.hidden_free_energy(states) if hidden else rbm.free_energy(states))


def _log_z(expert: Expert) -> Tensor:
    """log of the sum of an expert's exp(-free energy), float64."""
    if isinstance(expert, RBM):
        return _smaller_side(expert)[2].double().logsumexp(0)
    return expert.log_partition(expert.zero_input()).double()


def _choose(log_terms: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` indices drawn with replacement according to their log-weights."""
    return torch.multinomial(torch.softmax(log_terms.double(), dim=0), count, replacement=True, generator=generator)


def _draw(expert: Expert, count: int, generator: torch.Generator) -> Tensor:
    """`count` samples of one expert, (count, *shape)."""
    if not count:
        return _visible(expert).zero_input(0).reshape(0, *_visible(expert).shape)
    if not isinstance(expert, RBM):
        return expert.sample(expert.zero_input(count), generator=generator)
    hidden, states, log_terms = _smaller_side(expert)
    states = states[_choose(log_terms, count, generator)]
    return expert.sample_visible(states, generator=generator) if hidden else states

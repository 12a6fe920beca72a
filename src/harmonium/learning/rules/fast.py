"""Persistent contrastive divergence with fast weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Rule, Slots, check_unpaired
from harmonium.models import RBM
from harmonium.processes import own_share

FAST, PLAIN = "fast.", "work."  # prefixes of the slots: fast weights, and buffers for the plain values


@dataclass(frozen=True)
class FastPCD(Rule):
    """PCD whose chains run under θ + θ_f, where fast weights θ_f drive them away from where they are (Tieleman & Hinton 2009).

    Every weight and bias has a fast copy, zero at the start. Variances and rates have none. If the chains stay in a region, its energy
    rises at once, and falls again as θ_f decays. The learned machine is θ alone. If the chains mix well at the present learning rate, plain
    PCD has less bias.

    Parameters
    ----------
    chains : int, default 100
        Number of persistent chains, at least one. Several processes divide them.
    steps : int, default 1
        Gibbs sweeps per update, at least one.
    rate : float, default 0.01
        Learning rate of the fast weights, at least 0. No schedule lowers it.
    decay : float, default 0.95
        Factor on the fast weights at each update, from 0 to less than 1.

    Raises
    ------
    ValueError
        For values outside these ranges. When learning starts, as for `PersistentCD`.

    Notes
    -----
    At each update θ_f ← decay · θ_f - rate · gradient, with the same gradient that the optimiser gets. The chains' hidden units are
    averaged out under θ + θ_f as well. The fast weights are the slots `fast.<parameter>`. See Tieleman & Hinton (2009),
    doi:10.1145/1553374.1553506.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), negative=hm.FastPCD(chains=20), epochs=2, progress=False)
    >>> state.chains.shape
    torch.Size([20, 6])
    """

    chains: int = 100
    steps: int = 1
    rate: float = 0.01
    decay: float = 0.95

    def __post_init__(self) -> None:
        if self.chains < 1 or self.steps < 1:
            raise ValueError(f"persistent CD takes at least one chain and one step, found {self.chains} and {self.steps}")
        if not self.rate >= 0 or not 0 <= self.decay < 1:
            raise ValueError(
                f"fast weights take a rate of at least 0 and a decay from 0 to less than 1, found rate={self.rate} and decay={self.decay}"
            )

    @property
    def divided(self) -> Mapping[str, int]:
        return {"chains": 0}

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        chains = own_share(self.chains)
        slots = {"chains": model.visible.sample(model.visible.zero_input(chains), generator=generator)}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and (name.startswith("coupling.") or name.endswith("bias")):
                slots |= {FAST + name: torch.zeros_like(parameter), PLAIN + name: torch.empty_like(parameter)}
        return slots

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> None:
        check_unpaired(positive.given)
        chains = slots["chains"]
        with overlaid(model, _named(slots, FAST), _named(slots, PLAIN)):
            chains.copy_(model.gibbs(chains, steps=self.steps, generator=generator))
            phase = model.infer(chains)
        positive.contrast(model, phase)

    @torch.no_grad()
    def after(self, model: RBM, slots: Slots, complete: Callable[[], None]) -> None:
        """Update the fast weights. The update is completed in the same way as a step of the parameters."""
        fast, plain = _named(slots, FAST), _named(slots, PLAIN)
        steps = {}
        for name in fast:
            gradient = model.get_parameter(name).grad
            assert gradient is not None
            steps[name] = gradient * -self.rate
        with overlaid(model, steps, plain):
            complete()
            for name, shadow in fast.items():
                step = model.get_parameter(name) - plain[name] if name.endswith("bias") else steps[name]
                shadow.mul_(self.decay).add_(step)


def _named(slots: Slots, prefix: str) -> dict[str, Tensor]:
    """The slots of one kind, by the parameter's name."""
    return {name.removeprefix(prefix): tensor for name, tensor in slots.items() if name.startswith(prefix)}


@contextmanager
def overlaid(model: RBM, shadow: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with `shadow` added to its parameters, by name. `plain` holds the plain values meanwhile; they are restored exactly."""
    with torch.no_grad():
        for name, change in shadow.items():
            parameter = model.get_parameter(name)
            plain[name].copy_(parameter)
            parameter.add_(change)
        try:
            yield
        finally:
            for name in shadow:
                model.get_parameter(name).copy_(plain[name])

"""Persistent contrastive divergence with fast weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.rules.rule import Positive, Rule, Slots, check_unpaired
from harmonium.models import RBM

FAST, PLAIN = "fast.", "work."  # of the slots' names: what is added to each parameter, and room for its plain value meanwhile


@dataclass(frozen=True)
class FastPCD(Rule):
    """PCD whose chains move under θ + θ_f, which drives them from where they are to where they have not been (Tieleman & Hinton 2009).

    Every weight and bias has a fast shadow, zero at first: θ_f ← decay · θ_f - rate · gradient at each update, of the same gradient
    that the optimiser gets, but at a `rate` of its own that no schedule lowers. Where the chains dwell the energy rises at once, and
    sinks again as θ_f decays. The chains' hidden units are averaged out under θ + θ_f as well; the machine learnt is θ alone. Where
    the chains mix well at the learning rate in hand, plain PCD is less biased. The fast weights are the slots `fast.<parameter>`.

    `chains`, `steps`: as `PersistentCD` has them; what that refuses is refused here. Variances and rates have no shadow.
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
                f"fast weights take a rate of at least 0 and a decay from 0 to less than 1, by which they are multiplied at each update, "
                f"found rate={self.rate} and decay={self.decay}"
            )

    def init(self, model: RBM, generator: torch.Generator) -> Slots:
        slots = {"chains": model.visible.sample(model.visible.zero_input(self.chains), generator=generator)}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and (name.startswith("coupling.") or name.endswith("bias")):
                slots |= {FAST + name: torch.zeros_like(parameter), PLAIN + name: torch.empty_like(parameter)}
        return slots

    @torch.no_grad()
    def gradient(self, model: RBM, positive: Positive, slots: Slots, *, generator: torch.Generator) -> None:
        check_unpaired(positive.given)
        chains = slots["chains"]
        model.accumulate_gradient(positive.phase, **positive.weighting(), fresh=True, given=positive.given)
        with overlaid(model, _named(slots, FAST), _named(slots, PLAIN)):
            chains.copy_(model.gibbs(chains, steps=self.steps, generator=generator))
            phase = model.infer(chains)
        model.accumulate_gradient(phase, **positive.against(self.chains))

    @torch.no_grad()
    def after(self, model: RBM, slots: Slots, complete: Callable[[], None]) -> None:
        """The fast weights' update, completed as a step of the parameters is."""
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
    """The model with `shadow` added to its parameters, by name. The plain values stand in `plain` meanwhile, and are put back exactly."""
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

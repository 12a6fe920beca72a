"""Persistent contrastive divergence with fast weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.learning.contrastive import Rule, check_unpaired
from harmonium.learning.state import TrainingState
from harmonium.learning.trainer import Callback
from harmonium.models import RBM, Phase
from harmonium.units import Given


@dataclass(frozen=True)
class FastPCD(Rule):
    """PCD whose chains move under θ + θ_f, which drives them from where they are to where they have not been (Tieleman & Hinton 2009).

    Every weight and bias has a fast shadow, zero at first: θ_f ← decay · θ_f - rate · gradient at each update, of the same gradient
    that the optimiser gets, but at a `rate` of its own that no schedule lowers. Where the chains dwell the energy rises at once, and
    sinks again as θ_f decays. The chains' hidden units are averaged out under θ + θ_f as well; the machine learnt is θ alone. Where
    the chains mix well at the learning rate in hand, plain PCD is less biased. The fast weights are `state.fast`.

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

    def start(self, model: RBM, generator: torch.Generator) -> Tensor:
        return model.visible.sample(model.visible.blank(self.chains), generator=generator)

    def gradient(
        self, model: RBM, data: Phase, weights: Tensor | None, *, scale: float, state: TrainingState, given: Given | None = None
    ) -> None:
        check_unpaired(given)
        assert state.chains is not None
        model.accumulate_gradient(data, weights=weights, scale=scale, fresh=True, given=given)
        with overlaid(model, state.fast):
            state.chains.copy_(model.gibbs(state.chains, steps=self.steps, generator=state.generator))
            particles = model.infer(state.chains)
        borne = None if weights is None else (weights.sum() > 0).to(state.chains).expand(self.chains)
        model.accumulate_gradient(particles, weights=borne, scale=-1 / self.chains)

    @torch.no_grad()
    def after(self, model: RBM, state: TrainingState, followers: Sequence[Callback]) -> None:
        """The fast weights' update. `followers` have the biases make up for a step of the weights, and so they do for a fast one."""
        learnt = {name: parameter for name, parameter in model.named_parameters() if _has_shadow(name) and parameter.grad is not None}
        step = {name: parameter.grad * -self.rate for name, parameter in learnt.items() if parameter.grad is not None}
        if followers:
            with overlaid(model, step) as plain:
                for follower in followers:
                    follower.on_step(state)
                step |= {name: learnt[name].data - plain[name] for name in step if name.endswith("bias")}
        for name, change in step.items():
            state.fast[name] = state.fast[name].mul_(self.decay).add_(change) if name in state.fast else change


def _has_shadow(name: str) -> bool:
    return name.startswith("coupling.") or name.endswith("bias")


@contextmanager
def overlaid(model: RBM, shadow: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The model with `shadow` added to its parameters, by name; yields the plain values, which are put back, to the bit, at the end."""
    plain = {name: model.get_parameter(name).data for name in shadow}
    try:
        for name, change in shadow.items():
            model.get_parameter(name).data = plain[name] + change
        yield plain
    finally:
        for name, value in plain.items():
            model.get_parameter(name).data = value

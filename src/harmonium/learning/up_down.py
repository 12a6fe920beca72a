"""The gradient of contrastive wake-sleep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from harmonium.data.batches import Batches, Source
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.monitor import MONITORED
from harmonium.learning.rules import Positive, Rule
from harmonium.models import DBN
from harmonium.models.labels import with_labels
from harmonium.processes import total_of, world_size
from harmonium.units import NOTHING, Given

Pixels = Literal["mean", "sample"]


class UpDown:
    """The gradient signal of `wake_sleep`: wake phase, top RBM, sleep phase.

    Parameters
    ----------
    state : TrainingState
        The training of a `DBN`.
    choose : callable
        Epoch (from 0) -> the rule that makes the top RBM's particles.
    pixels : {"mean", "sample"}
        Whether the sleep phase ends in means or samples of the lowest layer.
    batches : Batches, optional
        The data, which know how many cases a batch of several processes has.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbn = hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))]).untie()
    >>> optimizer = torch.optim.SGD(dbn.parameters(), lr=0.1)
    >>> state = hm.TrainingState(dbn, optimizer, torch.Generator().manual_seed(0), {}, slots={"rule": {}})
    >>> signal = hm.learning.UpDown(state, lambda epoch: hm.ContrastiveDivergence(), "mean")
    >>> step = hm.learning.Step(state, signal)
    >>> step(torch.eye(6), None)
    >>> state.step
    1
    """

    def __init__(self, state: TrainingState, choose: Callable[[int], Rule], pixels: Pixels, batches: Batches | None = None) -> None:
        assert isinstance(state.model, DBN)
        self.state, self.dbn, self.choose, self.pixels = state, state.model, choose, pixels
        self.batches = batches

    @torch.no_grad()
    def gradient(self, v: Tensor, labels: Tensor | None) -> None:
        """Overwrite every `.grad`, and add the errors of the update to the epoch's sums.

        Parameters
        ----------
        v : Tensor
            States, (cases, *visible.shape).
        labels : Tensor or None
            Integer labels, (cases,); None for a net without label units.
        """
        given = self.dbn.visible.given_by(v)
        whole = None if self.batches is None else self.batches.whole
        cases = total_of(len(v), v.device) if whole is None else whole.cases
        particles, dreams = self._top(self._wake(v, given, cases), labels, given, cases)
        if len(particles) != len(v):  # sleep-phase documents have the lengths of the batch's
            given = given.rows(torch.arange(len(particles), device=v.device) % len(v))
        self._sleep(particles, given, dreams)

    def _wake(self, v: Tensor, given: Given, cases: float) -> Tensor:
        """The wake phase: an up-pass from which each generative layer learns. Returns the states below the top RBM."""
        states, share, generative = [v], 1 / cases, list(self.dbn.downwards())[::-1]
        self.state.add("cases", v.new_full((), float(len(v))))
        for level, layer in enumerate(self.dbn.upwards()):
            states.append(layer(states[-1], self.state.generator, given if level == 0 else NOTHING))
        for level, layer in enumerate(generative):
            known = given if level == 0 else NOTHING
            mean = layer.accumulate_gradient(states[level], states[level + 1], scale=share, fresh=True, given=known)
            self.state.add("wake_error", _squared(mean, states[level]))
        return states[-1]

    def _top(self, states: Tensor, labels: Tensor | None, given: Given, cases: float) -> tuple[Tensor, float]:
        """The top RBM learns from the up-pass and the labels beside it. Returns its particles, and how many all processes have."""
        dbn, units, slots = self.dbn, self.dbn.labels, self.state.slots[RULE]
        rule, top, generator = self.choose(self.state.epoch), dbn.top, self.state.generator
        if not slots:  # the rule of an earlier epoch had no slots
            slots.update(rule.init(top, generator))
        joint = states if units is None or labels is None else with_labels(states, labels, units.categories)
        given = NOTHING if len(dbn.recognition) else given
        data = top.infer(joint, given)
        positive = Positive(data, 1 / cases, 1.0, given)
        particles = rule.particles(top, positive, slots, generator=generator)
        of_model = given if rule.paired else NOTHING
        positive.contrast(top, top.infer(particles, of_model), paired=rule.paired)
        return particles, cases if rule.paired else len(particles) * world_size()

    def _sleep(self, particles: Tensor, given: Given, dreams: float) -> None:
        """The sleep phase: a down-pass whose states each recognition layer learns to recover."""
        dream, share, generative = self.dbn.part(particles), 1 / dreams, list(self.dbn.downwards())[::-1]
        recognition = list(self.dbn.upwards())
        for level in reversed(range(len(generative))):
            known = given if level == 0 else NOTHING
            lower = generative[level](dream, self.state.generator if level or self.pixels == "sample" else None, known)
            mean = recognition[level].accumulate_gradient(dream, lower, scale=share, fresh=True, given=known)
            self.state.add("sleep_error", _squared(mean, dream))
            dream = lower
        self.state.add("dreams", dream.new_full((), float(len(particles))))

    def after(self, complete: Callable[[], None]) -> None:
        """Nothing."""

    def between(self, step: int) -> None:
        self.choose(self.state.epoch).between(self.dbn.top, self.state.slots[RULE], step)

    def metrics(self) -> dict[str, float]:
        """The epoch's errors per case and per sample of the sleep phase; empty for a net without directed layers."""
        if not len(self.dbn.recognition):
            return {}
        totals = {name: value.item() for name, value in self.state.totals.items()}
        return {"wake_error": totals["wake_error"] / totals["cases"], "sleep_error": totals["sleep_error"] / totals["dreams"]}


def _squared(mean: Tensor, states: Tensor) -> Tensor:
    """The sum of squared errors."""
    error = (mean - states).flatten()
    return torch.dot(error, error)


@torch.no_grad()
def wake_error(dbn: DBN, held: Source, generator: torch.Generator) -> float:
    """The squared error of each generative layer's means given a stochastic up-pass, summed over units and layers, per case."""
    v = held.rows(torch.arange(min(len(held), MONITORED)), generator)
    states, given = v, dbn.visible.given_by(v)
    total = torch.zeros((), dtype=v.dtype, device=v.device)
    for up, down in zip(dbn.upwards(), list(dbn.downwards())[::-1], strict=True):
        above = up(states, generator, given)
        total += _squared(down(above, None, given), states)
        states, given = above, NOTHING
    return total.item() / len(v)

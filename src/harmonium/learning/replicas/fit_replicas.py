"""Training many RBMs as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.couplings.products import Precision, described_type, reduced_type
from harmonium.data.batches import Source
from harmonium.data.tables import as_data
from harmonium.learning.cases import Rows, as_rows
from harmonium.learning.defaults import MOMENTUM, defaults_of
from harmonium.learning.length import Length, epochs_of
from harmonium.learning.loop.graph import captured
from harmonium.learning.loop.metrics import rbm_metrics
from harmonium.learning.loop.plan import MakeOptimizer, MakeSchedule, Plan
from harmonium.learning.loop.settings import described
from harmonium.learning.loop.state import RULE, TrainingState
from harmonium.learning.loop.step import Step
from harmonium.learning.loop.trainer import Actions, train
from harmonium.learning.monitor import MONITORED
from harmonium.learning.replicas.orders import ReplicaBatches, ReplicaSource, seeds_of
from harmonium.learning.replicas.replica_sgd import Each, ReplicaSGD
from harmonium.learning.replicas.replica_state import begin, together
from harmonium.learning.replicas.stacking import Replicas
from harmonium.learning.rules import ContrastiveDivergence, Gibbs, PersistentCD, Positive, Rule
from harmonium.learning.start import STARTING
from harmonium.learning.transforms.normalising import KeepNormalisable
from harmonium.learning.transforms.standardising import StandardForm
from harmonium.models import RBM
from harmonium.seeds import derive, fresh_generator
from harmonium.units import NOTHING


def fit_replicas(
    model: Replicas[Any],
    data: Rows,
    *,
    negative: Rule = ContrastiveDivergence(),  # noqa: B008 (frozen)
    epochs: int | None = None,
    updates: int | None = None,
    batch_size: int = 100,
    optimizer: MakeOptimizer | None = None,
    schedule: MakeSchedule | None = None,
    weight_cost: Each | None = None,
    validation: Rows | None = None,
    standardise: bool = True,
    precision: Precision = "float32",
    capture: bool = False,
    seed: int | Sequence[int] = 0,
    callbacks: Actions = (),
    state: TrainingState | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> TrainingState:
    """`fit` of replicas of an RBM. Replica r sees the cases in the order of training alone with seed number r.

    Parameters
    ----------
    model : Replicas
        RBMs of one architecture.
    weight_cost : float or sequence of float, optional
        One for all, or one per replica. The default is that of `fit`.
    seed : int or sequence of int, default 0
        The first replica's seed, or each one's.
    data, negative, epochs, updates, batch_size, optimizer, schedule, validation, standardise, precision, capture, callbacks, state,
    checkpoint, progress
        As for `fit`.
    """
    first: RBM = model.pattern
    check(first, negative, standardise)
    like, seeds = next(model.parameters()).detach(), seeds_of(seed, len(model))
    data = as_data(data)
    if not isinstance(data, Tensor | np.ndarray | Source):
        raise ValueError("replicas take data that can be indexed by case number: a tensor, array or Source")
    batches = ReplicaBatches([_rows(first, data, like)], batch_size=batch_size, seeds=seeds, rows=model.rows)
    epochs = epochs_of(epochs, updates, batches)
    draws = derive(seeds[0], *seeds[1:])
    plan = Plan(epochs, optimizer, schedule, draws, callbacks, state, checkpoint, progress)
    settings = {"batch_size": batch_size, "negative": described(negative), "standardise": standardise}
    settings |= {"precision": described_type(precision, like)}
    (some,) = batches.some_of(0, STARTING, fresh_generator(like, 0))
    length = Length.of(epochs, len(batches), batch_size)
    usual = defaults_of(first, (some, None), length, standardise, negative, plan.chosen)
    settings["falls"] = usual.falls
    cost = usual.cost if weight_cost is None else weight_cost
    training = begin(plan, model, cost, batches, settings, seeds, partial(ReplicaSGD, lr=usual.rate, momentum=MOMENTUM))
    if state is None:
        start(model, batches, training.generator)
    if RULE not in training.slots:
        training.slots[RULE] = slots_of(negative, model, training.generator)
    plan.restore(training)
    held = None if validation is None else ReplicaBatches([_rows(first, validation, like)], batch_size=batch_size, seeds=seeds, rows=None)
    step = Step(training, ReplicaContrast(training, negative), (), model.stacked, reduced_type(precision, like))
    metrics = partial(metrics_of_machines, model, batches, held, partial(_monitor, plan, like, training))
    watchers = [*usual.watchers, *plan.watchers()]
    train(training, batches, captured(step, capture), metrics, epochs=epochs, callbacks=watchers, checkpoint=plan.path)
    return training  # type: ignore[no-any-return]


def _rows(first: RBM, data: Rows, like: Tensor) -> Any:
    return data if isinstance(data, ReplicaSource) else as_rows(first.visible, data, like)


def _monitor(plan: Plan, like: Tensor, training: TrainingState) -> torch.Generator:
    return plan.generator(like, training.epoch)


def check(machine: RBM, rule: Rule, standardise: bool) -> None:
    """Raise an error of one sentence unless replicas of the machine can be trained by the rule."""
    if not isinstance(machine, RBM):
        raise TypeError(f"hm.fit learns replicas of RBMs, found replicas of {type(machine).__name__}: hm.fine_tune trains nets")
    persistent = type(rule) is PersistentCD and isinstance(rule.sampler, Gibbs)
    if not (persistent or type(rule) is ContrastiveDivergence):
        raise ValueError(f"replicas learn by ContrastiveDivergence or by PersistentCD with Gibbs sampling, found {described(rule)}")
    if standardise and StandardForm.changes(machine):
        raise ValueError("replicas of machines with real-valued units follow the exact gradient: give standardise=False")
    if KeepNormalisable(machine, NOTHING).concerned:
        kinds = f"{type(machine.visible).__name__} and {type(machine.hidden).__name__}"
        raise ValueError(f"a machine of {kinds} units may lose its partition function while it learns: learn such machines one by one")


@torch.no_grad()
def start(model: Replicas[RBM], batches: ReplicaBatches, generator: torch.Generator) -> None:
    """Set visible biases that are all zero to the base rates of each replica's cases."""
    unit, found = model.pattern.visible, model.stacked.get_parameter("visible.bias")
    kept = unit.get_parameter("bias").clone()
    for replica in range(len(model)):
        if not bool((found[replica] == 0).all()):
            continue
        if replica == 0 or batches.differ:
            unit.init_from(*batches.some_of(replica, STARTING, generator))
        found[replica] = unit.get_parameter("bias").reshape(found[replica].shape)
    unit.get_parameter("bias").copy_(kept)


@torch.no_grad()
def slots_of(rule: Rule, model: Replicas[RBM], generator: torch.Generator) -> dict[str, Tensor]:
    """The slots of the rule: chains (replicas, chains, *visible.shape), if it keeps any."""
    if not isinstance(rule, PersistentCD):
        return {}
    visible: Any = model.stacked.get_submodule("visible")
    zero = visible.zero_input(rule.chains)
    return rule.beginning({"chains": visible.sample(zero.expand(len(model), *zero.shape).contiguous(), generator=generator)})


class ReplicaContrast:
    """Writes each replica's gradient, <∂E/∂θ>_data - <∂E/∂θ>_model, from its own mini-batch and its own particles."""

    def __init__(self, state: TrainingState, rule: Rule) -> None:
        stacked: Any = state.model.stacked
        self.machine: RBM = stacked
        self.rule, self.slots, self.generator = rule, state.slots[RULE], state.generator

    @torch.no_grad()
    def gradient(self, v: Tensor) -> None:
        """Overwrite every `.grad`. `v`: (replicas, cases, *visible.shape)."""
        machine = self.machine
        phase = machine.infer(v)
        positive = Positive(phase, 1 / v.shape[1], 1.0, NOTHING)
        particles = self.rule.particles(machine, positive, self.slots, generator=self.generator)
        machine.accumulate_gradient(phase, scale=1 / v.shape[1], fresh=True)
        machine.accumulate_gradient(machine.infer(particles), scale=-1 / particles.shape[1])

    def after(self, complete: Callable[[], None]) -> None:
        """Nothing."""

    def between(self, step: int) -> None:
        """Nothing."""


def metrics_of_machines(
    model: Replicas[RBM], batches: ReplicaBatches, held: ReplicaBatches | None, generator: Callable[[], torch.Generator]
) -> dict[str, float]:
    """The metrics of `fit` for each replica, and their means."""
    rows = []
    for replica, rbm in enumerate(model):
        draws = generator()
        (own,) = batches.some_of(replica, MONITORED, draws)
        others = None if held is None else held.some_of(replica, MONITORED, draws)[0]
        rows.append(rbm_metrics(rbm, own, others, generator=draws))
    return together(rows)

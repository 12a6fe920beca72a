"""The state of replicas in training, and of each of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch

from harmonium.learning.loop.momentum import MomentumSGD
from harmonium.learning.loop.plan import MakeOptimizer, Plan
from harmonium.learning.loop.state import AVERAGING, TrainingState
from harmonium.learning.loop.trainer import Choice
from harmonium.learning.replicas.orders import ReplicaBatches
from harmonium.learning.replicas.replica_sgd import Each, ReplicaSGD, settings_of
from harmonium.learning.replicas.stacking import Replicas
from harmonium.learning.transforms.averaging import STEPS
from harmonium.processes import world_size
from harmonium.seeds import derive, fresh_generator

STACKED = "stacked"  # the module of replicas with the parameters


@dataclass(repr=False)
class ReplicaState(TrainingState):
    """The state of training replicas: a `TrainingState` whose model is `Replicas`.

    Each row of its `history` has the mean of every metric over the replicas, and the metric of replica r under the name "metric.r". A
    replica that diverges does not stop the others: its parameters and metrics are NaN from then on.

    Parameters
    ----------
    model, optimizer, generator, settings, schedule, slots, divided
        As for `TrainingState`.
    epoch, batch, step, totals, history, best, best_epoch, stream, stopped, seconds, threads
        As for `TrainingState`.
    seeds : list of int
        The seed of each replica.
    diverged : list of int
        Replicas whose parameters are not finite.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> many = hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(3)])
    >>> state = hm.fit(many, torch.eye(6), epochs=2, progress=False)
    >>> alone = state.take(1)  # an ordinary state of an ordinary RBM, which can be saved, and continue
    >>> state = hm.fit(alone.model, torch.eye(6), state=alone, epochs=3, seed=1, progress=False)
    >>> state.epoch
    3
    """

    seeds: list[int] = field(default_factory=list)
    diverged: list[int] = field(default_factory=list)

    def check_finite(self) -> None:
        """Note replicas that have diverged. Raise FloatingPointError if all have."""
        flat = [torch.isfinite(parameter).flatten(1).all(1) for parameter in self.model.parameters()]
        found = torch.stack(flat).all(0).logical_not().nonzero().flatten().tolist()
        if len(found) == len(self.seeds):
            super().check_finite()
        new = [replica for replica in found if replica not in self.diverged]
        if new:
            names = ", ".join(map(str, new))
            warnings.warn(f"replicas diverged by step {self.step}, and the others continue: {names}", stacklevel=2)
        self.diverged = found

    @torch.no_grad()
    def take(self, replica: int) -> TrainingState:
        """The state of one replica, as that of training it alone.

        Parameters
        ----------
        replica : int
            Its number, from 0.

        Returns
        -------
        TrainingState
            A state with an ordinary model and, in the place of `ReplicaSGD`, `MomentumSGD`. `fit` or `fine_tune` continue from it.

        Raises
        ------
        ValueError
            For an optimiser other than `ReplicaSGD`, or inside an epoch.
        """
        many, optimizer = self._whole()
        model = many.take(replica)
        names = {parameter: name for name, parameter in many.stacked.named_parameters()}
        groups = []
        for group in optimizer.param_groups:
            own = [model.get_parameter(names[parameter]) for parameter in group["params"]]
            groups.append({"params": own, **settings_of(group, replica)})
        alone = MomentumSGD(groups)
        for parameter, name in names.items():
            if "momentum_buffer" in optimizer.state[parameter]:
                own_parameter = model.get_parameter(name)
                velocity = optimizer.state[parameter]["momentum_buffer"][replica]
                alone.state[own_parameter]["momentum_buffer"] = velocity.reshape(own_parameter.shape).clone()
        generator = fresh_generator(next(model.parameters()), derive(self.seeds[replica], self.step))
        settings = self.settings | {"seed": self.seeds[replica]}
        state = TrainingState(model, alone, generator, settings, epoch=self.epoch, step=self.step)
        state.slots = {owner: {name: slot[replica].clone() for name, slot in slots.items()} for owner, slots in self._of_each()}
        if self.average:
            means = {name: self.average[f"{STACKED}.{name}"][replica] for name in names.values()}
            own_means = {name: mean.reshape(model.get_parameter(name).shape).clone() for name, mean in means.items()}
            state.slots[AVERAGING] = {STEPS: self.slots[AVERAGING][STEPS].clone(), **own_means}
        state.history = [of_replica(row, replica) for row in self.history]
        return state

    @torch.no_grad()
    def chosen(self, replicas: Sequence[int]) -> ReplicaState:
        """The state of only some replicas, in this order; the others' are given up.

        Parameters
        ----------
        replicas : sequence of int
            Their numbers.

        Returns
        -------
        ReplicaState
            A state of copies.

        Raises
        ------
        ValueError
            For an optimiser other than `ReplicaSGD`, or inside an epoch.
        """
        many, optimizer = self._whole()
        model = many.chosen(replicas)
        names = {parameter: name for name, parameter in many.stacked.named_parameters()}
        own = {parameter: model.stacked.get_parameter(name) for parameter, name in names.items()}
        groups = [
            {name: [value[r] for r in replicas] if isinstance(value, list) and name != "params" else value for name, value in group.items()}
            | {"params": [own[parameter] for parameter in group["params"]]}
            for group in optimizer.param_groups
        ]
        kept = ReplicaSGD(groups)
        places = torch.tensor(list(replicas), device=next(model.parameters()).device)
        for parameter, mine in own.items():
            if "momentum_buffer" in optimizer.state[parameter]:
                kept.state[mine]["momentum_buffer"] = optimizer.state[parameter]["momentum_buffer"][places]
        seeds = [self.seeds[replica] for replica in replicas]
        generator = fresh_generator(next(model.parameters()), derive(seeds[0], self.step, *seeds[1:]))
        state = ReplicaState(model, kept, generator, self.settings | {"seed": seeds}, epoch=self.epoch, step=self.step, seeds=seeds)
        state.slots = {owner: {name: slot[places] for name, slot in slots.items()} for owner, slots in self._of_each()}
        if self.average:
            means = {name: mean[places] for name, mean in self.average.items()}
            state.slots[AVERAGING] = {STEPS: self.slots[AVERAGING][STEPS].clone(), **means}
        state.history = [together([of_replica(row, replica) for replica in replicas]) for row in self.history]
        return state

    def _of_each(self) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """The slots that have an axis of replicas. The average, whose steps are those of all, is apart."""
        yield from ((owner, slots) for owner, slots in self.slots.items() if owner != AVERAGING)

    def _whole(self) -> tuple[Replicas[Any], ReplicaSGD]:
        if not isinstance(self.optimizer, ReplicaSGD):
            raise ValueError(f"replicas are taken out of a training by hm.ReplicaSGD, found {type(self.optimizer).__name__}")
        if self.batch:
            raise ValueError(f"replicas are taken out of a training between epochs, found batch {self.batch} of an epoch")
        assert isinstance(self.model, Replicas)
        return self.model, self.optimizer


def begin(
    plan: Plan,
    model: Replicas[Any],
    weight_cost: Each,
    batches: ReplicaBatches,
    settings: dict[str, Any],
    seeds: list[int],
    default: MakeOptimizer,
) -> Any:
    """A new `ReplicaState`, or the given one. Raises ValueError for weight costs that the optimiser cannot take."""
    if world_size() > 1:
        raise ValueError(f"replicas are trained by one process, found {world_size()}: start the search once, or give each process its own")
    if not isinstance(weight_cost, float | int) and plan.optimizer is not None:
        probe = plan.optimizer([{"params": [torch.nn.Parameter(torch.zeros(len(seeds), 1))]}])
        if not isinstance(probe, ReplicaSGD):
            raise ValueError(f"a weight cost for each replica takes hm.ReplicaSGD, found {type(probe).__name__}")
    groups = replica_groups(model, weight_cost)
    rows = None if model.rows is None else int(model.rows.sum())
    training = plan.begin(model, groups, batches, {"seed": seeds, "rows": rows, **settings}, default)
    if isinstance(training, ReplicaState):
        return training
    own = {each.name: getattr(training, each.name) for each in fields(training)}
    return ReplicaState(**own, seeds=seeds)


def replica_groups(model: Replicas[Any], weight_cost: Each) -> list[dict[str, Any]]:
    """The parameter groups of an optimiser. The last module of a sequence, which may learn before the others, has its own."""
    last = model.stacked[-1] if isinstance(model.stacked, torch.nn.Sequential) else None
    head = set() if last is None else set(last.parameters())
    none = 0.0 if isinstance(weight_cost, float | int) else [0.0] * len(model)
    groups = [
        {"params": [p for p in part if (p in head) == of_head], "weight_decay": cost}
        for of_head in (False, True)
        for part, cost in zip(model.costed(), (weight_cost, none), strict=True)
    ]
    return [group for group in groups if group["params"]]


@dataclass(frozen=True)
class EachChoice(Choice):
    """`Choice` for each replica by itself. Training ends when no replica is within its patience."""

    def look(self, state: TrainingState) -> None:
        assert isinstance(state.model, Replicas)
        waiting = False
        for replica in range(len(state.model)):
            values = [row[f"{self.metric}.{replica}"] for row in state.history]
            best, given_up = best_epoch(values, self.patience)
            if best == state.epoch:
                for name, tensor in state.model.state_dict().items():
                    state.best.setdefault(name, tensor.detach().clone())[replica] = tensor[replica]
            waiting = waiting or not given_up
        state.stopped = state.stopped or not waiting


def best_epoch(values: Sequence[float], patience: int | None) -> tuple[int, bool]:
    """The epoch, from 1, with the lowest value before patience ended, and whether it has ended."""
    best, lowest = 0, math.inf
    for epoch, value in enumerate(values, 1):
        if value < lowest or (best == 0 and epoch == 1):
            best, lowest = epoch, value
        elif patience is not None and epoch - best >= patience:
            return best, True
    return best, False


def together(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """One row of metrics: the mean over the replicas that have not diverged, and each replica's own as "metric.replica"."""
    found: dict[str, float] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        finite = [value for value in values if math.isfinite(value)]
        found[name] = sum(finite) / len(finite) if finite else math.nan
    return found | {f"{name}.{replica}": row[name] for replica, row in enumerate(rows) for name in row}


def of_replica(row: dict[str, float], replica: int) -> dict[str, float]:
    """The metrics of one replica."""
    end, shared = f".{replica}", {name: value for name, value in row.items() if "." not in name and f"{name}.{replica}" not in row}
    return shared | {name.removesuffix(end): value for name, value in row.items() if name.endswith(end)}

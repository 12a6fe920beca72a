"""One machine of the mnist-exact recipe: how it is learnt, and what is measured of it on the way."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import Callback, MomentumSGD, Rule, TrainingState, fit
from harmonium.learning.cases import Data
from harmonium.likelihood import exact_log_z, log_likelihood
from harmonium.models import RBM
from harmonium.models.saving import restore, unshared
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli

Gradient = Literal["plain", "centred", "enhanced"]
BATCH = 100


class Plan(NamedTuple):
    """One machine, and how it is learnt. `measured`: the epochs after which it is measured."""

    phase: str
    hidden: int
    negative: Rule
    rate: float
    gradient: Gradient
    epochs: int
    measured: Sequence[int]
    averaging: float | None
    seed: int


class Measurement(NamedTuple):
    """A machine after some updates: processor seconds of learning, exact log Z, and nats of the cases it is judged on."""

    updates: float
    seconds: float
    log_z: float
    nats: float


class Learnt(NamedTuple):
    """A machine at its end, and all measurements of it."""

    machine: RBM
    measurements: list[Measurement]

    @property
    def nats(self) -> float:
        """At the end."""
        return self.measurements[-1].nats


def untrained(plan: Plan) -> RBM:
    """The machine before learning; one of PyDeep's protocol has its uniform weights."""
    coupling = Dense(784, plan.hidden, seed=derive(plan.seed, 0))
    if plan.averaging is None:
        reach = 4 * math.sqrt(6 / (784 + plan.hidden))
        with torch.no_grad():
            coupling.weight.uniform_(-reach, reach, generator=torch.Generator().manual_seed(derive(plan.seed, 0)))
    return RBM(Bernoulli(784), Bernoulli(plan.hidden), coupling)


def learn(run: Run, plan: Plan, data: Data, cases: Tensor) -> Learnt:
    """One machine; one that the run's folder holds is not learnt again. `cases`: (cases, 784), to be judged on."""
    path = run.checkpoint(f"{plan.phase} judged")
    if not path.exists():
        state = fit(
            untrained(plan),
            data,
            negative=plan.negative,
            epochs=plan.epochs,
            batch_size=BATCH,
            optimizer=partial(MomentumSGD, lr=plan.rate),
            gradient=plan.gradient,
            averaging=plan.averaging,
            precision=run.precision,
            seed=derive(plan.seed, 1),
            callbacks=[_Measure(cases, plan.measured), *run.callbacks(plan.phase)],
            checkpoint=run.checkpoint(plan.phase),
            progress=False,
        )
        rows = [[row["step"], row["processor_seconds"], row["log_z"], row["nats"]] for row in state.history if "nats" in row]
        write_tensors(path, unshared(_judged(state)), {"looks": rows})
    return read(run, plan)


def read(run: Run, plan: Plan) -> Learnt:
    """A machine that the run's folder holds."""
    machine = untrained(plan)
    tensors, header = read_tensors(run.checkpoint(f"{plan.phase} judged"))
    restore(machine, tensors)
    return Learnt(machine, [Measurement(*row) for row in header["looks"]])


def finished(run: Run, plans: Sequence[Plan]) -> list[Learnt]:
    """Those that the run's folder holds."""
    return [read(run, plan) for plan in plans if run.checkpoint(f"{plan.phase} judged").exists()]


class _Measure(Callback):
    """Keeps the processor seconds of learning, less those of measuring, beside an epoch's metrics; at some epochs also log Z and nats."""

    def __init__(self, cases: Tensor, epochs: Sequence[int]) -> None:
        self.cases, self.epochs, self.since = cases, epochs, 0.0

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.since = time.process_time()

    def on_epoch(self, state: TrainingState) -> None:
        row, before = state.history[-1], state.history[-2]["processor_seconds"] if len(state.history) > 1 else 0.0
        row["processor_seconds"] = before + time.process_time() - self.since
        if state.epoch in self.epochs:
            machine = _judged(state)
            row["log_z"] = exact_log_z(machine)
            row["nats"] = log_likelihood(machine, self.cases, log_z=row["log_z"]).mean().item()
        self.since = time.process_time()


def _judged(state: TrainingState) -> RBM:
    """The machine that counts: with averaged parameters, where they are kept."""
    machine = state.averaged() if state.average else state.model
    assert isinstance(machine, RBM)
    return machine


def nats_at(measurements: Sequence[Measurement], seconds: float) -> float | None:
    """Nats after so many seconds, on a straight line in log seconds between two measurements; None before the first and after the last."""
    for before, after in itertools.pairwise(measurements):
        if before.seconds <= seconds <= after.seconds:
            share = math.log(seconds / before.seconds) / math.log(after.seconds / before.seconds)
            return before.nats + share * (after.nats - before.nats)
    return None


def mean_at(machines: Sequence[Learnt], seconds: float) -> float | None:
    """The mean over machines; None where one of them was not measured early enough."""
    found = [nats_at(one.measurements, seconds) for one in machines]
    return None if None in found else fmean(nats for nats in found if nats is not None)


def shared_seconds(rules: Mapping[str, Sequence[Learnt]]) -> float:
    """The longest time that every machine was given."""
    return min(one.measurements[-1].seconds for machines in rules.values() for one in machines)

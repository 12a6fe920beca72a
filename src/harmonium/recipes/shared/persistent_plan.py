"""Persistent CD for likelihood, as several recipes use it."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar, cast

from harmonium.files import read_tensors
from harmonium.learning import Callback, MomentumSGD, PersistentCD, Schedule, TrainingState, fit
from harmonium.learning.cases import Data
from harmonium.learning.rules import Gibbs
from harmonium.models import DBM, RBM, save
from harmonium.models.saving import restore
from harmonium.runs.folder import Run

Machine = TypeVar("Machine", RBM, DBM)


@dataclasses.dataclass(frozen=True)
class Persistent:
    """How an RBM is learnt by persistent CD: a rate that falls linearly to zero, and averaged parameters."""

    epochs: int
    learning_rate: float = 0.2
    """At first."""
    batch_size: int = 200
    chains: int = 200
    gibbs_steps: int = 1
    gradient: Literal["plain", "centred", "enhanced"] = "centred"
    averaging: float = 0.03
    """The share of the steps, the last ones, that parameters are averaged over."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"learning takes at least one epoch, found {self.epochs}")

    def learn(self, run: Run, phase: str, rbm: RBM, data: Data, seed: int) -> RBM:
        """The machine with averaged parameters; `rbm` learns in place. Snapshots are kept beside the checkpoint."""
        return cast(RBM, self.fit(run, phase, rbm, data, seed).averaged())

    def fit(
        self, run: Run, phase: str, rbm: RBM | DBM, data: Data, seed: int, *, sweeps: int | None = None, restarts: float = 0.0
    ) -> TrainingState:
        """The final state of the same. `sweeps`: of mean field, of a deep machine. `restarts`: as `hm.Gibbs` has it."""
        return fit(
            rbm,
            data,
            negative=PersistentCD(self.chains, self.gibbs_steps, Gibbs(restarts)),
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer=partial(MomentumSGD, lr=self.learning_rate),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / self.epochs),
            gradient=self.gradient,
            averaging=self.averaging,
            sweeps=sweeps,
            precision=run.precision,
            capture=next(rbm.parameters()).is_cuda,
            seed=seed,
            callbacks=[*run.callbacks(phase), _Snapshots(run, phase, self.epochs)],
            checkpoint=run.checkpoint(phase),
            progress=False,
        )


def learnt(run: Run, phase: str, rbm: Machine) -> Machine:
    """`rbm` with the averaged parameters of a phase, finished or not. ValueError if it has not begun."""
    path = run.checkpoint(phase)
    if not path.exists():
        raise ValueError(f"{run.folder} has learnt nothing of {phase!r} yet: a phase's first checkpoint comes after its first epoch")
    restore(rbm, read_tensors(path)[0], "slots.averaging.")
    return rbm


def snapshot(run: Run, phase: str, epoch: int) -> Path:
    """Where the averaged machine is kept as it was after an epoch."""
    return run.checkpoint(f"{phase} after epoch {epoch}")


class _Snapshots(Callback):
    """Keeps the averaged machine after the first epoch, and whenever half as many again have passed."""

    def __init__(self, run: Run, phase: str, epochs: int) -> None:
        self.run, self.phase, self.wanted, epoch = run, phase, {epochs}, 1
        while epoch < epochs:
            self.wanted.add(epoch)
            epoch = max(epoch + 1, round(1.5 * epoch))

    def on_epoch(self, state: TrainingState) -> None:
        if state.epoch in self.wanted:
            save(cast(RBM, state.averaged()), snapshot(self.run, self.phase, state.epoch))

"""The trials of a search: their settings, their training as replicas, and their scores."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from harmonium.data.tables import as_tensor
from harmonium.learning.finetune import fine_tune
from harmonium.learning.fit import fit
from harmonium.learning.predictions import held_out
from harmonium.learning.replicas.replica_sgd import ReplicaSGD
from harmonium.learning.replicas.replica_state import ReplicaState
from harmonium.learning.replicas.stacking import Replicas, likeness
from harmonium.likelihood import ais, exact_log_z, log_likelihood
from harmonium.models import RBM
from harmonium.seeds import derive

TRAINED = ("lr", "momentum", "weight_cost")  # settings of the training; a model is made from the others
OWN = ("optimizer", "schedule", "seed", "state", "checkpoint", "epochs", "validation", "patience", *TRAINED)  # which the search sets
EXACT = 2**15  # states of the smaller layer, up to which log Z is exact


@dataclass(frozen=True)
class Uniform:
    """Numbers from `low` to `high`, evenly: values of a setting in `hm.search`.

    Parameters
    ----------
    low, high : float
        The bounds.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.learning.Uniform(0.5, 0.99)
    Uniform(low=0.5, high=0.99)
    """

    low: float
    high: float

    def draw(self, generator: np.random.Generator) -> float:
        """One value."""
        return float(generator.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Positive numbers from `low` to `high`, evenly in their logarithm: values of a setting in `hm.search`.

    Parameters
    ----------
    low, high : float
        The bounds, above zero.

    Raises
    ------
    ValueError
        For bounds that are not positive.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.learning.LogUniform(1e-4, 1e-1)
    LogUniform(low=0.0001, high=0.1)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ValueError(f"expected positive bounds in order, found {self.low} and {self.high}")

    def draw(self, generator: np.random.Generator) -> float:
        """One value."""
        return math.exp(generator.uniform(math.log(self.low), math.log(self.high)))


Space = Mapping[str, Sequence[Any] | Uniform | LogUniform]
Score = Callable[[Any, Any], float]


@dataclass(eq=False)
class Trial:
    """One choice of settings.

    Parameters
    ----------
    settings : dict
        The settings.
    seed : int
        The seed of its model and its training.
    epochs : int
        The epochs that it was trained.
    score : float
        Its score after them; lower is better.
    model : nn.Module
        Its model after them.
    """

    settings: dict[str, Any]
    seed: int
    epochs: int = 0
    score: float = math.inf
    model: Any = field(default=None, repr=False)


class Group:
    """Trials of one architecture, which are trained together."""

    def __init__(self, trials: list[Trial], state: ReplicaState | None = None) -> None:
        self.trials, self.state = trials, state
        self.many: Replicas[Any] = Replicas([trial.model for trial in trials])
        if state is not None:
            assert isinstance(state.model, Replicas)
            self.many = state.model

    def train(self, data: Any, epochs: int, settings: Mapping[str, Any], progress: bool) -> None:
        """Train on to this many epochs in all."""
        machines = isinstance(self.many.pattern, RBM)
        rates = {name: [trial.settings[name] for trial in self.trials] for name in ("lr", "momentum") if name in self.trials[0].settings}
        if "lr" not in rates:
            rates["lr"] = [0.01 if machines else 0.1] * len(self.trials)
        costs = [float(trial.settings.get("weight_cost", 0.0)) for trial in self.trials]
        own = {"weight_cost": costs, "seed": [trial.seed for trial in self.trials], "epochs": epochs, "progress": progress}
        if self.state is None:
            own["optimizer"] = partial(ReplicaSGD, **rates)
        train: Any = fit if machines else fine_tune
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="replicas diverged")  # they score worst
            try:
                self.state = train(self.many, *([data] if machines else data), state=self.state, **own, **settings)
            except FloatingPointError:  # all of them
                self.state = None

    def judge(self, score: Score, validation: Any, epochs: int) -> None:
        """Give each trial its model and its score after this many epochs."""
        for place, trial in enumerate(self.trials):
            trial.model, trial.epochs = self.many.take(place), epochs
            lost = self.state is None or place in self.state.diverged
            found = math.inf if lost else float(score(trial.model, validation))
            trial.score = found if math.isfinite(found) else math.inf

    def chosen(self, kept: Sequence[Trial]) -> Group | None:
        """Only the trials that are kept; None if there are none."""
        places = [place for place, trial in enumerate(self.trials) if trial in kept]
        if not places or self.state is None:
            return None
        return Group([self.trials[place] for place in places], self.state.chosen(places))


def groups_of(trials: Sequence[Trial]) -> list[Group]:
    """The trials by architecture."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(str(likeness(trial.model)), []).append(trial)
    return [Group(group) for group in groups.values()]


def drawn(space: Space, generator: np.random.Generator) -> dict[str, Any]:
    """One value of each setting."""
    return {
        name: values.draw(generator) if isinstance(values, Uniform | LogUniform) else values[int(generator.integers(len(values)))]
        for name, values in space.items()
    }


def rungs_of(trials: int, epochs: int, keep: float) -> list[int]:
    """The epochs in all at the end of each rung: as many rungs as leave one trial, and as epochs allow."""
    lengths, left = [epochs], trials
    while left > 1 and round(lengths[0] * keep) >= 1 and round(lengths[0] * keep) < lengths[0]:
        lengths.insert(0, round(lengths[0] * keep))
        left = math.ceil(left * keep - 1e-9)
    return lengths


def check(space: Space, trials: int, epochs: int, keep: float, settings: Mapping[str, Any]) -> None:
    """Raise a ValueError for a search that cannot be made."""
    if not space or any(not isinstance(values, Uniform | LogUniform) and not len(values) for values in space.values()):
        raise ValueError(f"the space names each setting and its values, at least one, found {dict(space)}")
    if trials < 1 or epochs < 1 or not 0 < keep < 1:
        raise ValueError(f"expected at least one trial and one epoch, and keep= between 0 and 1, found {trials}, {epochs} and {keep}")
    for name in settings:
        if name in OWN:
            raise ValueError(f"a search sets {name}= itself: give values of lr, momentum and weight_cost in the space")


@torch.no_grad()
def default_score(settings: Mapping[str, Any], model: Any, validation: Any) -> float:
    """Minus the mean log-likelihood of a machine, or the mean loss of a net, on held-out cases."""
    if not isinstance(model, RBM):
        inputs, targets = validation
        return held_out(model, inputs, targets, settings.get("loss", F.cross_entropy))["validation_loss"]
    exact = min(model.visible.count, model.hidden.count) <= EXACT
    log_z = exact_log_z(model) if exact else ais(model, chains=100, betas=1000, seed=derive(0)).log_z
    rows = model.visible.from_data(as_tensor(validation), next(model.parameters()).detach())
    return -float(log_likelihood(model, rows, log_z=log_z).mean())


def report(number: int, rungs: int, ranked: Sequence[Trial]) -> None:
    """One line on the best trial so far."""
    best = ranked[0]
    words = ", ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}" for name, value in best.settings.items())
    line = f"search: rung {number + 1}/{rungs}, {len(ranked)} trials of {best.epochs} epochs, best {best.score:.4g} with {words}"
    print(line, file=sys.stderr, flush=True)

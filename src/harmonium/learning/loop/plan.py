"""The common settings of every kind of training, and how training begins."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.data.batches import ONCE, Batches, Stream
from harmonium.files import read_tensors
from harmonium.learning.loop import reduce
from harmonium.learning.loop import settings as compared
from harmonium.learning.loop.progress import Progress
from harmonium.learning.loop.schedules import Scheduler
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Actions, Callback, as_callbacks
from harmonium.processes import is_first, only_first_warns, own_purpose
from harmonium.seeds import derive, fresh_generator

ORDER, DRAWS, MONITOR = range(3)  # the purposes of a seed
BY_DEFAULT = "chosen from the data, the units and the number of updates"
SEARCHES = "evaluates the loss at several points of each update, which this kind of training cannot do"
Groups = list[dict[str, Any]]
MakeOptimizer = Callable[[Groups], torch.optim.Optimizer]
MakeSchedule = Callable[[torch.optim.Optimizer], Scheduler]


@dataclass(frozen=True)
class Plan:
    """The length, the optimiser and the checkpoint of a training. The arguments are those of `fit`."""

    epochs: int
    optimizer: MakeOptimizer | None
    schedule: MakeSchedule | None
    seed: int
    callbacks: Actions
    state: TrainingState | None
    checkpoint: str | os.PathLike[str] | None
    progress: bool | None

    def begin(
        self,
        model: nn.Module,
        groups: Groups,
        batches: Batches | Stream,
        settings: dict[str, Any],
        default: MakeOptimizer,
        line_search: bool = False,
    ) -> TrainingState:
        """A new state, or the given one, which continues with its own optimiser and schedule. Several processes begin with one model.

        Parameters
        ----------
        model : torch.nn.Module
            The model.
        groups : list of dict
            Its parameters, as groups of the optimiser.
        batches : Batches or Stream
            The data.
        settings : dict
            What a checkpoint has to have in common with this training, beside the plan itself.
        default : callable
            Parameter groups -> the optimiser, if none was chosen.
        line_search : bool
            Whether the optimiser may be one that evaluates a loss as often as it likes.

        Raises
        ------
        ValueError
            If the given state is of another model, if another optimiser or schedule is asked for, and if the data can be read only once and
            there are several epochs.
        TypeError
            For an optimiser that needs a loss where there is none, and for one that is made already.
        """
        if isinstance(batches, Stream) and batches.once and self.epochs > 1:
            raise ValueError(ONCE)
        if self.optimizer is not None and not callable(self.optimizer):
            raise TypeError(
                "optimizer= is a function that makes the optimiser of the parameters, such as "
                f"partial({type(self.optimizer).__name__}, ...), and no optimiser that is made already"
            )
        like = next(model.parameters()).detach()
        optimizer = of_one_group(self.optimizer or default, groups)
        if searches(optimizer) and not line_search:
            raise TypeError(f"{type(optimizer).__name__} {SEARCHES}: take one that steps along the gradient, such as torch.optim.Adam")
        words = compared.of_optimizer(optimizer)
        schedule = None if self.schedule is None else self.schedule(optimizer)
        settings = {
            "seed": self.seed,
            "cases": batches.cases if isinstance(batches, Batches) else None,
            **settings,
            "optimizer": BY_DEFAULT if settings.get("falls") else words,
            "schedule": compared.of_schedule(schedule),
            "data": compared.of_data(batches, like),
        }
        if self.state is None:
            reduce.one_model(model)
            return TrainingState(model, optimizer, fresh_generator(like, derive(self.seed, DRAWS, *own_purpose())), settings, schedule)
        if self.state.model is not model:
            raise ValueError("the state given is that of another model: a state holds its model, so use fit(state.model, ...)")
        own = {"optimizer": self.optimizer, "schedule": self.schedule}
        self.state.check_settings({name: settings[name] for name, given in own.items() if given is not None}, "the state given")
        self.state.settings = settings | {name: self.state.settings[name] for name in own}
        return self.state

    def restore(self, state: TrainingState) -> None:
        """Load the checkpoint, if there is one and no state was given."""
        if self.state is None and self.path is not None and self.path.exists():
            with only_first_warns():
                state.restore(self.path)

    @property
    def chosen(self) -> bool:
        """Whether the user has chosen how to learn, now or when the given state was made."""
        before = self.state is not None and self.state.settings["optimizer"] != BY_DEFAULT
        return self.optimizer is not None or self.schedule is not None or before

    @property
    def before(self) -> dict[str, Any]:
        """The settings of the training that this one goes on from; none of a new one."""
        if self.state is not None:
            return self.state.settings
        found = read_tensors(self.path)[1].get("settings") if self.path is not None and self.path.exists() else None
        return found if isinstance(found, dict) else {}

    @property
    def path(self) -> Path | None:
        return None if self.checkpoint is None else Path(self.checkpoint)

    def watchers(self, name: str = "learning") -> list[Callback]:
        """The callbacks, and a progress bar if it is wanted, in the first process."""
        own = as_callbacks(self.callbacks)
        if not is_first():
            return [each for each in own if not isinstance(each, Progress)]
        shown = [Progress(name)] if self.progress or (self.progress is None and Progress.wanted()) else []
        return [*own, *shown]

    def generator(self, like: Tensor, *purpose: int) -> torch.Generator:
        """A generator for draws that are not part of learning."""
        return fresh_generator(like, derive(self.seed, MONITOR, *purpose))


def searches(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimiser's step needs a closure that computes the loss."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def of_one_group(make: MakeOptimizer, groups: Groups) -> torch.optim.Optimizer:
    """The optimiser of these groups, or of all their parameters as one where it searches along lines and takes no groups (L-BFGS)."""
    try:
        return make(groups)
    except ValueError:
        if len(groups) == 1:
            raise
        whole = make([{"params": [parameter for group in groups for parameter in group["params"]]}])
        if not searches(whole):  # else a weight cost of some parameters would be lost
            raise
        return whole

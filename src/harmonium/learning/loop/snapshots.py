"""Copies of the models along a training run."""

from __future__ import annotations

import copy
import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harmonium.files import read_tensors, write_tensors
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.loop.trainer import Callback
from harmonium.models import RBM, load
from harmonium.models.saving import describe, unshared
from harmonium.processes import is_first, mean_figures, wait_for_all
from harmonium.sampling.trajectory_models import acceptance

LAST = "-last"  # suffix of the name of a model that is kept only because training ended there
SHARE = 8  # least number of measurements of the acceptance between two kept models


class Trajectory(Callback):
    """Keeps copies of the RBM as it learns, for `trajectory_ais` and for tempering along the trajectory.

    The first copy is the model before the first step, after its biases are initialised. The last is the model at the end of training.

    Parameters
    ----------
    folder : path-like, optional
        Where to write the models, one file of `hm.save`'s kind per step. `Trajectory(folder).models()` reads them again. By default they
        are kept in memory.
    ratio : float, default 1.1
        Keep a model after `ratio` times as many steps as at the one before, and after at least one more step. Above 1.
    acceptance : float, optional
        Keep a model when the rate at which the last one would exchange states with the present one has fallen below this (see
        `hm.sampling.trajectory`), in place of `ratio`. Between 0 and 1: 0.3 for tempering, more for a finer path. The rate is measured on
        the persistent chains of learning, at least eight times between two models.

    Raises
    ------
    ValueError
        For a `ratio` or an `acceptance` outside these ranges. When training starts: for a folder that holds the trajectory of another
        training, and for `acceptance` without persistent chains.

    Notes
    -----
    If training is resumed or continued, the trajectory is the same as without the interruption. Models beyond the checkpoint are dropped,
    and so is the last one if it was kept only because training ended there. Of several processes, the first one writes.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> trajectory = hm.Trajectory()
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), batch_size=3, epochs=5, callbacks=[trajectory], progress=False)
    >>> trajectory.steps
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    >>> len(trajectory.models())
    11
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, ratio: float = 1.1, acceptance: float | None = None) -> None:
        if not ratio > 1:
            raise ValueError(f"the steps between kept models grow by a ratio above 1, found {ratio}")
        if acceptance is not None and not 0 < acceptance < 1:
            raise ValueError(f"the acceptance at which a model is kept lies between 0 and 1, found {acceptance}")
        self.folder = None if folder is None else Path(folder)
        self.ratio, self.acceptance = ratio, acceptance
        self.steps: list[int] = []
        """The step of each model kept, after which it was."""
        self._ended = False  # whether the last model is kept only because training ended there
        self._memory: dict[int, tuple[RBM, Tensor | None]] = {}
        self._reference: tuple[RBM, Tensor] | None = None  # the last one kept, with the chains of its step
        if self.folder is not None and self.folder.is_dir():
            self._scan()

    def __len__(self) -> int:
        return len(self.steps)

    def models(self) -> list[RBM]:
        """Copies of the kept models, in the order of training.

        Returns
        -------
        list of RBM
            The models; on the CPU if they come from a folder.
        """
        if self.folder is None:
            return [copy.deepcopy(self._memory[step][0]) for step in self.steps]
        return [load(path) for path in self._paths()]

    # During training ------------------------------------------------------------------------------------------------------------

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        if not isinstance(state.model, RBM):
            raise ValueError(f"a trajectory is one of RBMs, found a {type(state.model).__name__}")
        if self.acceptance is not None:
            _chains(state)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._scan()
        self._check_same(state)
        while self.steps and (self._ended or self.steps[-1] > state.step):
            self._drop()
        self._reference = None
        wait_for_all()  # the first process writes below what the others have read above
        if not self.steps:
            self._keep(state)

    def on_step(self, state: TrainingState) -> None:
        if self._due(state):
            self._keep(state)

    def on_end(self, state: TrainingState) -> None:
        if self.steps and self.steps[-1] < state.step and all(bool(p.isfinite().all()) for p in state.model.parameters()):
            self._keep(state, ended=True)

    def _due(self, state: TrainingState) -> bool:
        last = self.steps[-1]
        if self.acceptance is None:
            return state.step >= max(last + 1, math.ceil(last * self.ratio))
        elapsed, gap = state.step - last, last - self.steps[-2] if len(self.steps) > 1 else 1
        looks = 1 << max(0, (max(elapsed, gap) // SHARE).bit_length() - 1)  # a power of two, so elapsed reaches a multiple
        if elapsed <= 0 or elapsed % looks:
            return False
        assert isinstance(state.model, RBM)
        kept, at = self._last_kept(state)
        # Each chain is paired with a chain that it does not descend from.
        rate = acceptance(kept, state.model, at, _chains(state).roll(1, 0)).mean()
        return mean_figures({"rate": rate.item()}, rate.device)["rate"] < self.acceptance

    # Keeping --------------------------------------------------------------------------------------------------------------------

    def _keep(self, state: TrainingState, *, ended: bool = False) -> None:
        assert isinstance(state.model, RBM)
        chains = None if self.acceptance is None else _chains(state).clone()
        if self.folder is None or chains is not None:
            kept = copy.deepcopy(state.model)
            self._reference = None if chains is None else (kept, chains)
            if self.folder is None:
                self._memory[state.step] = kept, chains
        if self.folder is not None:
            tensors = unshared(state.model)
            dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
            header = {"model": describe(state.model), "dtype": dtype, "settings": state.settings, "step": state.step}
            write_tensors(self._path(state.step, ended), tensors | ({} if chains is None else {"chains": chains}), header)
        self.steps.append(state.step)
        self._ended = ended

    def _drop(self) -> None:
        step = self.steps.pop()
        if self.folder is None:
            del self._memory[step]
        elif is_first():
            self._path(step, self._ended).unlink()
        self._ended = False

    def _last_kept(self, state: TrainingState) -> tuple[RBM, Tensor]:
        """The last kept model and its chains, on the device of the learning model."""
        if self._reference is None:
            if self.folder is None:
                model, chains = self._memory[self.steps[-1]]
            else:
                path = self._paths()[-1]
                model, chains = load(path), read_tensors(path)[0].get("chains")
            if chains is None:
                raise ValueError("the models so far were kept without their chains; continue without acceptance=, or use another folder")
            like = next(state.model.parameters())
            self._reference = model.to(like.device), chains.to(like)
        return self._reference

    # The folder -----------------------------------------------------------------------------------------------------------------

    def _path(self, step: int, ended: bool) -> Path:
        assert self.folder is not None
        return self.folder / f"{step:010}{LAST if ended else ''}.safetensors"

    def _paths(self) -> list[Path]:
        """The files of the kept models."""
        return [self._path(step, self._ended and number == len(self.steps) - 1) for number, step in enumerate(self.steps)]

    def _scan(self) -> None:
        """Read from the names of the files which models were kept before."""
        assert self.folder is not None
        names = sorted(path.stem for path in self.folder.glob("*.safetensors") if path.stem.removesuffix(LAST).isdigit())
        kept = [int(name) for name in names if not name.endswith(LAST)]
        ended = [int(name.removesuffix(LAST)) for name in names if name.endswith(LAST)]
        self._ended = bool(ended) and max(ended) > max(kept, default=-1)
        self.steps = kept + ([max(ended)] if self._ended else [])

    def _check_same(self, state: TrainingState) -> None:
        """Raise a ValueError if the kept models have other settings, or another start than this training."""
        if not self.steps:
            return
        if self.folder is None:
            model, settings = self._memory[self.steps[0]][0], state.settings
        else:
            path = self._paths()[0]
            header: dict[str, Any] = read_tensors(path)[1]
            model, settings = load(path), header.get("settings") or {}
        same = describe(model) == describe(state.model) and all(settings.get(name) == value for name, value in state.settings.items())
        if same and self.steps[0] == state.step:
            now = dict(state.model.named_parameters())
            same = all(torch.equal(parameter, now[name].detach().to(parameter)) for name, parameter in model.named_parameters())
        if not same:
            where = "this Trajectory" if self.folder is None else f"the folder {self.folder}"
            raise ValueError(f"{where} holds the models of another training; use another one, or empty it")


def _chains(state: TrainingState) -> Tensor:
    """The persistent chains of the model itself, (chains, *visible.shape)."""
    chains = state.chains
    if chains is None:
        raise ValueError(
            "the acceptance between models is measured on persistent chains: learn with negative=hm.PersistentCD(...) or "
            "hm.TemperedCD(...), or keep models at a ratio= of steps"
        )
    assert isinstance(state.model, RBM)
    return chains if chains.dim() == len(state.model.visible.shape) + 1 else chains[-1]

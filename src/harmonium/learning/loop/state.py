"""The complete state of training. On disk it is the checkpoint."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.files import read_tensors, write_tensors
from harmonium.learning.loop import history_file
from harmonium.learning.loop.epoch_figures import sentence
from harmonium.learning.loop.finite import check_finite
from harmonium.learning.loop.optimizer_file import packed, unpack
from harmonium.learning.loop.schedules import Scheduler
from harmonium.learning.loop.settings import ADDED
from harmonium.models.saving import renamed, restore, unshared
from harmonium.notebook import as_html
from harmonium.processes import add_up, gathered, is_first, own_entries, own_purpose, rank, wait_for_all, world_size
from harmonium.seeds import derive

VERSIONS = (2, 3)  # of the checkpoint's layout that are read; the last is written
RULE, AVERAGING = "rule", "averaging"  # of the slots
SHARED = "update_ratio"  # of the epoch's sums: the same in every process, and no part of a sum over them


@dataclass(repr=False)
class TrainingState:
    """The complete state of training one model. Restored from disk, training continues to the same bits.

    Several processes have one model and optimiser, and each has a generator and chains of its own. Their checkpoint holds all of these. As
    many processes continue to the same bits. Another number of processes divides the same chains anew, with other draws: the results then
    agree statistically.

    Parameters
    ----------
    model : nn.Module
        The model that is trained.
    optimizer : torch.optim.Optimizer
        Its optimiser.
    generator : torch.Generator
        The generator of all draws.
    settings : dict
        Settings that must match on resume.
    schedule : Scheduler, optional
        The schedule of the learning rate.
    slots : dict of dict of Tensor
        What the rule ("rule") and each transform keep between updates, by owner and name.
    divided : mapping of str to int
        The rule's slots that several processes divide among them (see `Rule.divided`).
    epoch : int
        Completed epochs.
    batch : int
        Completed batches of the present epoch.
    step : int
        Completed updates.
    totals : dict of Tensor
        Sums over the present epoch.
    history : list of dict
        One row of metrics per epoch.
    best, best_epoch
        Weights of the best epoch so far, if training keeps them, and its number.
    stream : object
        State of the data, if they are an iterable.
    stopped : bool
        Whether training was stopped.
    seconds : float
        Seconds of training so far.
    threads : int
        Number of CPU threads.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> state = hm.fit(rbm, torch.eye(6), epochs=2, progress=False)
    >>> state.epoch, state.step
    (2, 2)
    >>> state = hm.fit(rbm, torch.eye(6), epochs=3, state=state, progress=False)  # one more epoch
    >>> state.epoch
    3
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    settings: dict[str, Any]
    schedule: Scheduler | None = None
    slots: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    divided: Mapping[str, int] = field(default_factory=dict)
    epoch: int = 0
    batch: int = 0
    step: int = 0
    totals: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    stream: Any = None
    stopped: bool = False
    seconds: float = 0.0
    threads: int = field(default_factory=torch.get_num_threads)

    _repr_html_ = as_html

    def __repr__(self) -> str:
        figures = f": {sentence(self.history[-1])}" if self.history else ""
        return f"{type(self).__name__}({type(self.model).__name__}, epoch {self.epoch}, update {self.step:,}{figures})"

    @property
    def chains(self) -> Tensor | None:
        """The rule's persistent chains, (chains, *visible.shape), with an axis of replicas before if there are any; None without chains.

        Of several processes, the chains of this one.
        """
        return self.slots.get(RULE, {}).get("chains")

    @property
    def average(self) -> dict[str, Tensor]:
        """The averaged parameters by name; empty if training does not average."""
        return {name: mean for name, mean in self.slots.get(AVERAGING, {}).items() if name != "steps"}

    def add(self, name: str, value: Tensor) -> None:
        """Add to one of the epoch's sums, on the device."""
        if name in self.totals:
            self.totals[name] += value.detach()
        else:
            self.totals[name] = value.detach().double()

    def averaged(self) -> nn.Module:
        """A copy of the model with the averaged parameters.

        Returns
        -------
        nn.Module
            The copy.

        Raises
        ------
        ValueError
            If training does not average.
        """
        means = self.average
        if not means:
            raise ValueError(
                "this training averages no parameters: give fit averaging=, or fine_tune, the share of the steps to average over"
            )
        model = copy.deepcopy(self.model)
        means = renamed(model, means, "")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.grad = None
                parameter.copy_(means[name])
        return model

    def check_finite(self) -> None:
        """Raise FloatingPointError if a parameter is NaN or infinite. The message names the step, the tensor and likely causes."""
        check_finite({name: parameter.detach() for name, parameter in self.model.named_parameters()}, self.step, self.epoch)

    def check_settings(self, settings: dict[str, Any], source: str) -> None:
        """Raise a ValueError that names the first of these settings that differs from the state's own."""
        for name, value in settings.items():
            own = self.settings.get(name, ADDED.get(name))
            if own != value:
                own, value = f"{name}={own!r}", f"{name}={value!r}"
                raise ValueError(f"{source} was made with {own}, and this run has {value}; continue with its settings, or start again")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one checkpoint file, atomically.

        The last one stays beside it, its name ending in ".previous", and is read if this one is damaged. Several processes must all call
        it. The first one writes, and the others return when the file is there.

        Parameters
        ----------
        path : path-like
            The file, in a folder that exists.

        Raises
        ------
        FloatingPointError
            If a parameter, the optimiser or a chain holds NaN or infinity. The file is then as it was.
        """
        tensors = unshared(self.model, "model.")
        tensors["generator"] = self.generator.get_state()
        if world_size() > 1:
            tensors["generators"] = gathered(self.generator.get_state()[None], 0)
        own, optimizer = packed(self.optimizer)
        tensors |= own
        for owner, slots in self.slots.items():
            tensors |= {f"slots.{owner}.{name}": value for name, value in slots.items() if not name.startswith("work.")}
        for name, axis in self.divided.items():
            if name in self.slots.get(RULE, {}):
                tensors[f"slots.{RULE}.{name}"] = gathered(self.slots[RULE][name], axis)
        check_finite(tensors, self.step, self.epoch)
        sums = {name: value.clone() for name, value in self.totals.items()}
        add_up([value for name, value in sums.items() if name != SHARED])
        tensors |= {f"totals.{name}": value for name, value in sums.items()} | {f"best.{name}": value for name, value in self.best.items()}
        rows, history = history_file.packed(self.history)
        header = {
            "version": VERSIONS[-1],
            "settings": self.settings,
            "optimizer": optimizer,
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "history": history,
            **{name: getattr(self, name) for name in COUNTERS},
        }
        write_tensors(path, tensors | rows, header, keep_previous=True)
        wait_for_all()

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Load a file that `save` wrote.

        A file from another kind of device is accepted. Its draws, and those of data drawn anew, then continue from another seed.

        Parameters
        ----------
        path : path-like
            The file.

        Raises
        ------
        ValueError
            If the file has other settings, another model or another layout, or is damaged and so is the one before it.
        """
        tensors, header = read_tensors(path)
        try:
            self._restore(path, tensors, header)
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ValueError(f"the checkpoint {path} is not one that training wrote ({error!r}): start again") from error

    def _restore(self, path: str | os.PathLike[str], tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
        if "settings" not in header:
            raise ValueError(f"{path} is not a training checkpoint; is it a saved model?")
        if header.get("version") not in VERSIONS:
            writer = f"the checkpoint {path} was written by harmonium {'0.1' if 'version' not in header else 'of a later version'}"
            raise ValueError(f"{writer}, and this version does not read it: finish that training with the same version, or start again")
        elsewhere = len(tensors["generator"]) != len(self.generator.get_state())  # another kind of device, which draws other numbers
        wanted, self.settings = self.settings, header["settings"]
        checked = {name: value for name, value in wanted.items() if not (elsewhere and name == "data")}
        self.check_settings(checked, f"the checkpoint {path}")
        then, now = ([len(group["params"]) for group in each] for each in (header["optimizer"]["groups"], self.optimizer.param_groups))
        if then != now:
            learnt = f"the checkpoint {path} is of a model with {sum(then)} learnt parameters, and this one has {sum(now)}: are variances"
            raise ValueError(
                f"{learnt} fixed in one (learn_variance=False) and learnt in the other? Make the model as it was, or start again"
            )
        restore(self.model, tensors, "model.")
        unpack(self.optimizer, tensors, header["optimizer"])
        if self.schedule is not None and header["schedule"] is not None:
            self.schedule.load_state_dict(header["schedule"])
        own = tensors.get("generators", tensors["generator"][None])
        if elsewhere or (len(own) != world_size() and not is_first()):
            self.generator.manual_seed(derive(int(wanted["seed"]), header["step"], *own_purpose()))
        else:
            self.generator.set_state(own[rank()].clone())
        self._restore_slots(tensors)
        device = next(self.model.parameters()).device
        for kind in NAMED:
            setattr(self, kind, {n.removeprefix(f"{kind}."): t.to(device) for n, t in tensors.items() if n.startswith(f"{kind}.")})
        if not is_first():  # the file has the sums of all processes
            self.totals = {name: value if name == SHARED else torch.zeros_like(value) for name, value in self.totals.items()}
        self.history = history_file.unpacked(tensors, header["history"])
        threads = self.threads
        for name in COUNTERS:
            if not isinstance(header[name], type(getattr(self, name))) and name != "stream":
                raise TypeError(f"{name} is {header[name]!r}")
            setattr(self, name, header[name])
        if self.threads != threads:
            warnings.warn(
                f"the checkpoint was made with {self.threads} threads and this process has {threads}: the last bits may differ",
                stacklevel=2,
            )
            self.threads = threads

    def _restore_slots(self, tensors: dict[str, Tensor]) -> None:
        """Load into the new slots, in place. A slot that a rule makes only when it needs it is added."""
        device = next(self.model.parameters()).device
        for owner, slots in self.slots.items():
            prefix = f"slots.{owner}."
            saved = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            for name, axis in self.divided.items() if owner == RULE else ():
                if name in saved:
                    saved[name] = own_entries(saved[name], axis, slots[name].shape[axis] if name in slots else None)
            for name, slot in slots.items():
                if not name.startswith("work.") and (name not in saved or saved[name].shape != slot.shape):
                    raise ValueError(f"the checkpoint does not fit this training: expected {prefix}{name} of shape {tuple(slot.shape)}")
            for name, tensor in saved.items():
                if name in slots:
                    slots[name].copy_(tensor)
                else:
                    slots[name] = tensor.to(device)


NAMED = ("totals", "best")
COUNTERS = ("epoch", "batch", "step", "best_epoch", "stream", "stopped", "seconds", "threads")

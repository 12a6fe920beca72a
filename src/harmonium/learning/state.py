"""All that training carries from one step to the next; on disk it is the checkpoint."""

from __future__ import annotations

import copy
import os
import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.learning.schedules import Scheduler
from harmonium.models.saving import read_tensors, restore, unshared, write_tensors


@dataclass
class TrainingState:
    """The training of one model, whole: restored from disk it goes on to the same bits.

    `settings`: what must be the same for a checkpoint to be gone on from. `chains`: persistent chains, (chains, *visible.shape), replicas
    before them if there are any. `activity`: running means of the hidden units, for a sparsity target. `totals`: sums over the present
    epoch. `history`: one row of figures an epoch. `best`: the weights of the best epoch so far, where training keeps them. `offsets`:
    of the centred gradient, flat. `average`: averaged parameters, where they are kept. `fast`: what fast weights add to the parameters
    under which the chains move. `tempering`: of tempered chains the temperatures, who stands where, and the swaps since they were adapted.
    `seconds`: spent so far.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    settings: dict[str, Any]
    schedule: Scheduler | None = None
    epoch: int = 0
    batch: int = 0
    step: int = 0
    chains: Tensor | None = None
    activity: Tensor | None = None
    totals: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    offsets: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    fast: dict[str, Tensor] = field(default_factory=dict)
    tempering: dict[str, Tensor] = field(default_factory=dict)
    stream: Any = None
    stopped: bool = False
    seconds: float = 0.0
    threads: int = field(default_factory=torch.get_num_threads)

    def add(self, name: str, value: Tensor) -> None:
        """Adds to one of the epoch's sums, on the device."""
        value = value.detach().double()
        self.totals[name] = self.totals[name] + value if name in self.totals else value

    def averaged(self) -> nn.Module:
        """A copy of the model with the averaged parameters. ValueError where training does not average."""
        if not self.average:
            raise ValueError("this training averages no parameters: give fit averaging=, the share of the steps to average over")
        model = copy.deepcopy(self.model)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.grad = None
                parameter.copy_(self.average[name])
        return model

    def check_finite(self) -> None:
        """Raises FloatingPointError, naming the step, the tensor and likely causes, if a parameter is NaN or infinite."""
        for name, parameter in self.model.named_parameters():
            if not bool(torch.isfinite(parameter).all()):
                raise FloatingPointError(
                    f"training diverged: {name} is not finite at step {self.step} (epoch {self.epoch + 1}); likely causes: a learning "
                    "rate that is too high (Gaussian units need 10 to 100 times less than binary ones), data that are not "
                    "standardised, or no weight cost. The last checkpoint, if any, is kept as it was"
                )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one file, atomically."""
        tensors = unshared(self.model, "model.")
        tensors["generator"] = self.generator.get_state()
        optimizer = self.optimizer.state_dict()
        values: dict[str, dict[str, Any]] = {}
        for index, entries in optimizer["state"].items():
            for name, value in entries.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{name}"] = value
                else:
                    values.setdefault(str(index), {})[name] = value
        for name in ("chains", "activity"):
            if getattr(self, name) is not None:
                tensors[name] = getattr(self, name)
        for kind in NAMED:
            tensors |= {f"{kind}.{name}": value for name, value in getattr(self, kind).items()}
        header = {
            "settings": self.settings,
            "optimizer": {"groups": optimizer["param_groups"], "values": values},
            "schedule": self.schedule.state_dict() if self.schedule else None,
            **{name: getattr(self, name) for name in COUNTERS},
        }
        write_tensors(path, tensors, header)

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Goes on from a file that `save` wrote. ValueError where it is of other settings or of another model."""
        tensors, header = read_tensors(path)
        if "settings" not in header:
            raise ValueError(f"{path} is no training checkpoint; is it a saved model?")
        for name, value in self.settings.items():
            if header["settings"].get(name) != value:
                raise ValueError(
                    f"the checkpoint {path} was made with {name}={header['settings'].get(name)!r}, and this run has {name}={value!r}; "
                    "go on with the same settings, or start anew with another checkpoint"
                )
        restore(self.model, tensors, "model.")
        state: dict[int, dict[str, Any]] = {}
        for index, entries in header["optimizer"]["values"].items():
            state.setdefault(int(index), {}).update(entries)
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer":
                index, _, entry = rest.partition(".")
                state.setdefault(int(index), {})[entry] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": header["optimizer"]["groups"]})
        if self.schedule is not None and header["schedule"] is not None:
            self.schedule.load_state_dict(header["schedule"])
        self.generator.set_state(tensors["generator"])
        device = next(self.model.parameters()).device
        for name in ("chains", "activity"):
            setattr(self, name, tensors[name].to(device) if name in tensors else None)
        for kind in NAMED:
            setattr(self, kind, {n.removeprefix(f"{kind}."): t.to(device) for n, t in tensors.items() if n.startswith(f"{kind}.")})
        threads = self.threads
        for name in COUNTERS:
            setattr(self, name, header[name])
        if self.threads != threads:
            warnings.warn(
                f"the checkpoint was made with {self.threads} threads and this process has {threads}: the last bits may differ",
                stacklevel=2,
            )
            self.threads = threads


NAMED = ("totals", "best", "offsets", "average", "fast", "tempering")
COUNTERS = ("epoch", "batch", "step", "history", "best_epoch", "stream", "stopped", "seconds", "threads")

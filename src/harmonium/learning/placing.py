"""Where a training computes: the model's device, and whether the data stay on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harmonium.data.batches import ArrayRows
from harmonium.data.pinned import PinnedRows
from harmonium.data.tables import as_tensor
from harmonium.learning.loop.state import TrainingState
from harmonium.processes import check_threads, join_processes

Device = str | torch.device


def place(model: nn.Module, device: Device | None, state: TrainingState | None = None) -> None:
    """Move a model to a device, in place: "cpu", "cuda", "auto" (a GPU if there is one), or None to leave it.

    Processes that `torchrun` started are joined then. Raises a ValueError for a device that is not there, if a training goes on from a
    state of another device, and in a forked process whose threads would wait for ever.
    """
    check_threads()
    if device is not None:
        model.to(checked(device, model, state))
    join_processes(next(model.parameters()).device)


def checked(device: Device, model: nn.Module, state: TrainingState | None) -> torch.device:
    """The device of that name."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    name = str(device)
    if name.partition(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f'device is "cpu", "cuda", one of several GPUs such as "cuda:1", or "auto", found {device!r}')
    wanted = torch.device(device)
    if wanted.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r} needs a GPU that PyTorch sees, and it sees none here")
    found = next(model.parameters()).device
    if state is not None and wanted.type != found.type:
        raise ValueError(f"the state given is that of a training on {found}, and goes on there: leave device={device!r} out")
    return wanted


def placed_rows(data: Tensor | np.ndarray[Any, Any], device: torch.device, convert: Callable[[Tensor], Tensor]) -> ArrayRows | PinnedRows:
    """Rows of an array as a source for a training on a device.

    Data of the host lie on the GPU if they take at most half of its free memory, so that their batches need no transfer. Otherwise each
    batch goes there through pinned memory.
    """
    if device.type != "cuda" or (isinstance(data, Tensor) and data.device.type == "cuda"):
        return ArrayRows(data, convert)
    free, _ = torch.cuda.mem_get_info(device)
    if data.nbytes <= free / 2:
        return ArrayRows(as_tensor(data).to(device), convert)
    return PinnedRows(data, device, convert)

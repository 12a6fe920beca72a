"""Several processes that learn together, as `torchrun` starts them. In a single process each function is the identity."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor


_has_threads = 0  # the process that last learnt with several threads


def check_threads() -> None:
    """Raise a ValueError where several threads would wait for each other for ever.

    A process that was forked from one which had learnt with several has none of them, and OpenMP does not know.
    """
    global _has_threads
    import torch

    threads = torch.get_num_threads()
    if threads > 1:
        if _has_threads not in (0, os.getpid()):
            raise ValueError(
                f"this process was forked from one that had learnt with several threads, and would wait for its own {threads} for ever: "
                "call torch.set_num_threads(1) in it first, or start it by spawn or forkserver"
            )
        _has_threads = os.getpid()


def _group() -> Any:
    """torch.distributed if there is a process group, else None. PyTorch is not imported for this."""
    dist = sys.modules.get("torch.distributed")
    return dist if dist is not None and dist.is_available() and dist.is_initialized() else None


def join_processes(device: torch.device) -> None:
    """Join the processes that `torchrun` started, if it did and there is no process group yet: gloo, and nccl for a model on a GPU."""
    if _group() is not None or int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return
    from torch import cuda
    from torch import distributed as dist

    if device.type == "cuda":
        cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    atexit.register(_leave)


def _leave() -> None:
    """Leave the group and end its threads while the interpreter still runs: one that needs it later ends the process by an abort."""
    from torch import distributed as dist

    gc.collect()  # what a failed training holds of the group
    if dist.is_initialized():
        dist.destroy_process_group()
    gc.collect()


def world_size() -> int:
    """The number of processes."""
    dist = _group()
    return 1 if dist is None else int(dist.get_world_size())


def rank() -> int:
    """The number of this process, from 0."""
    dist = _group()
    return 0 if dist is None else int(dist.get_rank())


def is_first() -> bool:
    """Whether this is the process that writes files, warns and shows progress."""
    return rank() == 0


def own_purpose() -> tuple[int, ...]:
    """What sets this process's seeds apart, the end of a path of `derive`; nothing for the first process."""
    return () if is_first() else (rank(),)


def own_share(count: int) -> int:
    """The number of chains of each process, `count` in all; rounded up, so that every process has as many."""
    return -(-count // world_size())


def own_part(rows: Tensor) -> Tensor:
    """This process's part of some rows, or of their numbers. Of fewer rows than processes, every process has all of them."""
    return rows if world_size() == 1 or len(rows) < world_size() else rows.tensor_split(world_size())[rank()]


def times_held(rows: int) -> int:
    """How many processes have each of so many rows after `own_part`."""
    return world_size() if rows < world_size() else 1


def add_up(tensors: Iterable[Tensor]) -> None:
    """Sum tensors over the processes, in place. Tensors of one type take one all-reduce."""
    if world_size() == 1:
        return
    import torch
    from torch import distributed as dist

    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    for parts in kinds.values():
        flat = torch.cat([part.flatten() for part in parts])
        dist.all_reduce(flat)
        for part, whole in zip(parts, torch.split(flat, [part.numel() for part in parts]), strict=True):
            part.copy_(whole.view_as(part))


def total_of(count: float, device: torch.device) -> float:
    """A number, summed over the processes."""
    if world_size() == 1:
        return float(count)
    import torch

    found = torch.tensor(float(count), dtype=torch.float64, device=device)
    add_up([found])
    return float(found)


def in_any(flags: Iterable[bool], device: torch.device) -> tuple[bool, ...]:
    """For each flag, whether it is raised in any of the processes."""
    if world_size() == 1:
        return tuple(flags)
    import torch

    raised = torch.tensor([float(flag) for flag in flags], dtype=torch.float64, device=device)
    add_up([raised])
    return tuple(bool(flag) for flag in raised > 0)


def mean_figures(figures: dict[str, float], device: torch.device) -> dict[str, float]:
    """Figures of the same names, averaged over the processes, so that all have the same."""
    if world_size() == 1:
        return figures
    import torch

    found = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
    add_up([found])
    return dict(zip(figures, (found / world_size()).tolist(), strict=True))


def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrite tensors by those of the first process."""
    if world_size() == 1:
        return
    from torch import distributed as dist

    for tensor in tensors:
        whole = tensor.detach().contiguous()
        dist.broadcast(whole, 0)
        tensor.detach().copy_(whole)


def gathered(tensor: Tensor, axis: int) -> Tensor:
    """The tensors of all processes, of equal shapes, one after another along an axis."""
    if world_size() == 1:
        return tensor
    import torch
    from torch import distributed as dist

    pieces = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world_size())]
    dist.all_gather(pieces, tensor.contiguous())
    return torch.cat(pieces, dim=axis)


def own_entries(whole: Tensor, axis: int, count: int | None = None) -> Tensor:
    """The inverse of `gathered`: this process's `count` entries along an axis, by default its share. Too few are repeated."""
    import torch

    size = whole.shape[axis]
    count = own_share(size) if count is None else count
    numbers = torch.arange(rank() * count, (rank() + 1) * count, device=whole.device) % size
    return whole.index_select(axis, numbers)


def wait_for_all() -> None:
    """Return when every process has come here."""
    dist = _group()
    if dist is not None and world_size() > 1:
        dist.barrier()


@contextmanager
def only_first_warns() -> Iterator[None]:
    """Within it, no process but the first one warns."""
    with warnings.catch_warnings():
        if not is_first():
            warnings.simplefilter("ignore")
        yield

"""The settings that must match on resume, as text that can be compared and read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from harmonium.data.batches import Batches, Stream
from harmonium.learning.loop.schedules import Scheduler
from harmonium.learning.rules.rule import LATER
from harmonium.seeds import fresh_generator
from harmonium.units import Given

ADDED: dict[str, Any] = {
    "precision": "float32",
    "falls": False,
    "averaged": False,
}  # settings that older checkpoints do not have, with what they were then
SAMPLED = 64  # rows of the data's digest


def described(value: object) -> str:
    """A rule, transform or similar object with its settings: the same text in every process, even if its class has no `repr`.

    A field that came `LATER` is left out at its default, so that checkpoints from before it still match.
    """
    name = type(value).__qualname__
    if is_dataclass(value):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
        for field in fields(value):
            if field.metadata == LATER and own[field.name] == field.default:
                del own[field.name]
    else:
        own = {key: each for key, each in vars(value).items() if isinstance(each, int | float | str | bool | None | Tensor)}
    return f"{name}({', '.join(f'{key}={_word(each)}' for key, each in own.items())})"


def _word(value: object) -> str:
    """One setting as text; for a value without a text of its own, its type."""
    if isinstance(value, int | float | str | bool | None):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_word, value))})"
    if isinstance(value, Tensor):
        return f"tensor {_digest(value)}"
    return described(value) if is_dataclass(value) else type(value).__qualname__


def of_optimizer(optimizer: torch.optim.Optimizer) -> str:
    """The optimiser's class and the settings of each parameter group."""
    groups = [
        ", ".join(f"{name}={value!r}" for name, value in sorted(group.items()) if name not in ("params", "initial_lr"))
        for group in optimizer.param_groups
    ]
    return f"{type(optimizer).__qualname__}({'; '.join(groups)})"


def of_schedule(schedule: Scheduler | None) -> str | None:
    """The schedule's class and its initial state; for functions of the epoch, some of their values."""
    if schedule is None:
        return None
    state = {**schedule.state_dict(), **getattr(schedule, "sampled", dict)()}
    return f"{type(schedule).__qualname__}({', '.join(f'{name}={_word(state[name])}' for name in sorted(state))})"


def of_transforms(
    sparsity: object | None, gradient: str, standardise: bool, averaging: float | None, others: Sequence[object]
) -> dict[str, Any]:
    """What changes the gradient."""
    return {
        "gradient": gradient,
        "standardise": standardise,
        "averaging": averaging,
        "sparsity": None if sparsity is None else described(sparsity),
        "transforms": [described(each) for each in others],
    }


def of_data(batches: Batches | Stream, like: Tensor) -> str | None:
    """A digest of some of the rows, weights and what is given; None for a stream, which is not read ahead."""
    if isinstance(batches, Stream):
        return None
    found = batches.some(SAMPLED, fresh_generator(like, 0))
    parts = [part for each in found for part in ([getattr(each, kind) for kind in each.kinds] if isinstance(each, Given) else [each])]
    tensors = [part for part in parts if isinstance(part, Tensor)]
    return _digest(*tensors)


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(str((tuple(tensor.shape), tensor.dtype)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

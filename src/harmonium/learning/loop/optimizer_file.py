"""An optimiser's state in a checkpoint: its tensors by name, and the rest as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

PREFIX = "optimizer."
LIST = "list"  # of an entry that is a list: its length


def packed(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of an optimiser's state, as "optimizer.parameter.entry", and its groups and other values as JSON.

    Tensors in lists, such as the history of L-BFGS, have their place as one more part of the name.
    """
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    values: dict[str, dict[str, Any]] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{PREFIX}{index}.{name}"] = value
            elif isinstance(value, list):
                tensors |= {f"{PREFIX}{index}.{name}.{place}": each for place, each in enumerate(value) if isinstance(each, Tensor)}
                plain = {str(place): each for place, each in enumerate(value) if not isinstance(each, Tensor)}
                values.setdefault(str(index), {})[name] = {LIST: len(value), **plain}
            else:
                values.setdefault(str(index), {})[name] = value
    return tensors, {"groups": state["param_groups"], "values": values}


def unpack(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Load what `packed` gave. `tensors` may hold others.

    Each is copied to memory of its own: sums over tensors that begin at other addresses, as in a file, differ in the last bits. There it
    lies in its parameter's order, which fused kernels take for granted.
    """
    learnt = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    tensors = {name: _own_copy(name, tensor, learnt) for name, tensor in tensors.items() if name.startswith(PREFIX)}
    state: dict[int, dict[str, Any]] = {}
    for index, entries in header["values"].items():
        own = state.setdefault(int(index), {})
        for name, value in entries.items():
            if isinstance(value, dict):
                at = f"{PREFIX}{index}.{name}."
                own[name] = [tensors.get(f"{at}{place}", value.get(str(place))) for place in range(value[LIST])]
            else:
                own[name] = value
    for name, tensor in tensors.items():
        index, _, entry = name.removeprefix(PREFIX).partition(".")
        if "." not in entry:
            state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": header["groups"]})


def _own_copy(name: str, tensor: Tensor, learnt: Sequence[Tensor]) -> Tensor:
    """A copy of a tensor of the state, laid out as the parameter that it belongs to if it has its shape."""
    index = int(name.removeprefix(PREFIX).partition(".")[0])
    if index < len(learnt) and tensor.shape == learnt[index].shape:
        return torch.empty_like(learnt[index], dtype=tensor.dtype, device=tensor.device, requires_grad=False).copy_(tensor)
    return tensor.clone()

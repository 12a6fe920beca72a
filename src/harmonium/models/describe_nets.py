"""Nets of torch.nn as JSON: the class of each module and its constructor's arguments, for the header of a model file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import chain
from typing import Any

import torch
from torch import nn

# The arguments of a class that are attributes of its objects. Classes with other state, or with code of their own, cannot be described.
_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_MAX = (*_POOL, "dilation", "return_indices")
ARGUMENTS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features"),
    nn.Conv1d: _CONVOLUTION,
    nn.Conv2d: _CONVOLUTION,
    nn.BatchNorm1d: _NORM,
    nn.BatchNorm2d: _NORM,
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.MaxPool1d: _MAX,
    nn.MaxPool2d: _MAX,
    nn.AvgPool2d: (*_POOL, "count_include_pad", "divisor_override"),
    nn.Dropout: ("p", "inplace"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Unflatten: ("dim", "unflattened_size"),
    nn.Hardtanh: ("min_val", "max_val", "inplace"),
    nn.LeakyReLU: ("negative_slope", "inplace"),
    nn.ELU: ("alpha", "inplace"),
    nn.Softplus: ("beta", "threshold"),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
    nn.GELU: ("approximate",),
    **dict.fromkeys((nn.ReLU, nn.SiLU), ("inplace",)),
    **dict.fromkeys((nn.Identity, nn.Sigmoid, nn.Tanh, nn.LogSigmoid), ()),
}
OF_NETS = {
    "nets.Autoencoder": ("encoder", "decoder"),
    "nets.BlockPooling": ("pool",),
    "nets.Dropout": ("p",),
    "nets.FixedFactors": ("units",),
    "nets.SameOrDifferent": (),
    "nets.UnitBiases": ("units",),
    "nets.Visible": ("unit", "leading"),
}  # modules of `harmonium.nets`, the room above: found by name when they are needed
LEADING = "nets.Leading"  # modules in a row, as nn.Sequential is, of the leading inputs
KINDS = {kind.__name__: kind for kind in ARGUMENTS}
# Attributes that a file holds in other ways, or that change no number.
ELSEWHERE = {"training", "_parameters", "_buffers", "_modules", "_compiled_call_impl", "unit", "generator"}
KIND = "torch.nn"  # of the description of a net
INSTEAD = "its weights alone are written by torch.save(net.state_dict(), path)"

Describe = Callable[[object], Any]


def describe_net(net: nn.Module, describe: Describe, build: Describe) -> dict[str, Any]:
    """A net as JSON, with `describe` for units. Raises a TypeError that names what cannot be described."""
    members = [id(module) for _, module in net.named_modules(remove_duplicate=False)]
    tensors = [id(tensor) for tensor in net.state_dict(keep_vars=True).values()]
    if len(members) > len(set(members)) or len(tensors) > len(set(tensors)):
        raise TypeError(f"hm.save writes nets whose modules have weights of their own, and this net uses some of them twice; {INSTEAD}")
    found = {"kind": KIND, "training": net.training, "net": _describe(net, "", describe)}
    shapes = {name: tensor.shape for name, tensor in net.state_dict().items()}
    again = build_net(found, build)
    rebuilt = {name: tensor.shape for name, tensor in again.state_dict().items()}
    if shapes != rebuilt:
        name = next(iter({*shapes.items()} ^ {*rebuilt.items()}))[0]
        raise TypeError(f"hm.save describes a net by its modules' arguments, and {name!r} does not follow from them; {INSTEAD}")
    for (name, module), copy in zip(net.named_modules(), again.modules(), strict=True):
        if lost := _lost(module, copy):
            what = f"the {lost.strip('_').replace('_', ' ')} of {repr(name) if name else 'the net'}"
            raise TypeError(f"hm.save describes a net by its modules' arguments, which do not hold {what}; {INSTEAD}")
    return found


def _lost(module: nn.Module, copy: nn.Module) -> str | None:
    """An attribute that changes what the module computes, such as a hook, and that a copy made from its arguments lacks."""
    own, other = vars(module), vars(copy)
    hides = (name for name in own if name not in other and hasattr(type(module), name))  # a `forward` set on the object
    changed = (name for name in other if name not in ELSEWHERE and own.get(name) != other[name])
    return next(chain(hides, changed), None)


def _describe(module: nn.Module, name: str, describe: Describe) -> dict[str, Any]:
    kind = type(module)
    title = f"nets.{kind.__name__}" if kind.__module__.startswith("harmonium.nets.") else kind.__name__
    if kind is nn.Sequential or title == LEADING:
        inside = [[key, _describe(each, f"{name}.{key}".lstrip("."), describe)] for key, each in module.named_children()]
        return {"module": title, "inside": inside} | ({"inputs": module.inputs} if title == LEADING else {})
    own = OF_NETS.get(title, ARGUMENTS.get(kind))
    if own is None:
        where = f" at {name!r}" if name else ""
        raise TypeError(
            "hm.save writes models, and nets of nn.Sequential, nn.Linear and other modules of torch.nn that their arguments describe, "
            f"found {kind.__name__}{where}: {INSTEAD}, and replicas one by one, each taken out by take()"
        )
    values = {argument: getattr(module, argument) for argument in own}
    arguments = {
        argument: {"kind": KIND, "training": value.training, "net": _describe(value, f"{name}.{argument}".lstrip("."), describe)}
        if argument in module._modules  # a net within the net
        else describe(value)
        for argument, value in values.items()
    }
    if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):
        arguments["bias"] = module.bias is not None
    order = {"order": "channels last"} if _channels_last(module) else {}
    return {"module": title, "arguments": arguments} | order


def build_net(description: Mapping[str, Any], build: Describe) -> nn.Module:
    """The net of a description, with weights that are not yet set. No random seed is used. Raises a ValueError for an unknown module."""
    return _build(description["net"], build).train(bool(description["training"]))


def _build(description: Mapping[str, Any], build: Describe) -> nn.Module:
    name = description["module"]
    if name in ("Sequential", LEADING):
        inside = [(key, _build(each, build)) for key, each in description["inside"]]
        if name == "Sequential":
            return nn.Sequential(OrderedDict(inside))
        made: nn.Module = import_module("harmonium.nets").Leading(description["inputs"], *(each for _, each in inside))
        return made
    kind: Any = KINDS.get(name)
    if name in OF_NETS:
        kind = getattr(import_module("harmonium.nets"), name.removeprefix("nets."))
    if kind is None:
        raise ValueError(f"the file holds a net with {name!r}, which is no module that this version knows")
    arguments = {key: build(value) for key, value in description["arguments"].items()}
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    if name in OF_NETS:
        found: nn.Module = kind(**arguments)
        return found
    with torch.device("meta"):  # where no weight is drawn
        found = kind(**arguments)
    found.to_empty(device="cpu")
    if description.get("order") == "channels last":
        found.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return found


def _channels_last(module: nn.Module) -> bool:
    """Whether the weights of an image's convolution lie in memory with a place's channels together: sums then round in another way."""
    weight = module.weight if isinstance(module, nn.Conv2d) else None
    return weight is not None and weight.stride() == torch.empty_like(weight, memory_format=torch.channels_last).stride()

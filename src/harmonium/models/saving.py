"""Models on disk: one safetensors file with the weights, and a JSON description in its header."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling
from harmonium.files import read_tensors, write_tensors
from harmonium.models.boltzmann import BoltzmannMachine
from harmonium.models.community import CommunityOfExperts
from harmonium.models.dbm import DBM
from harmonium.models.dbn import DBN
from harmonium.models.deep_factor_analysers import DeepMixtureOfFactorAnalysers
from harmonium.models.describe_nets import KIND, build_net, describe_net
from harmonium.models.experts import Mixture, ProductOfExperts
from harmonium.models.factor_analysers import MixtureOfFactorAnalysers
from harmonium.models.rbm import RBM
from harmonium.models.sigmoid_belief_net import SigmoidBeliefNet
from harmonium.units import Groups, Softmax, Unit

Model = (
    RBM
    | DBN
    | DBM
    | SigmoidBeliefNet
    | BoltzmannMachine
    | CommunityOfExperts
    | Mixture
    | ProductOfExperts
    | MixtureOfFactorAnalysers
    | DeepMixtureOfFactorAnalysers
)


def describe(value: object) -> Any:
    """A model, unit or coupling as JSON: the name of its class and its constructor arguments."""
    if isinstance(value, Unit | Coupling | Model):
        arguments: dict[str, object] = value.arguments()
        return {"kind": type(value).__name__, **{name: describe(argument) for name, argument in arguments.items()}}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    return value


def _kinds(*bases: type) -> Iterator[type]:
    for base in bases:
        yield base
        yield from _kinds(*base.__subclasses__())


def build(description: Any) -> Any:
    """The untrained object that a description stands for. Raises a ValueError for a kind that no imported class has."""
    if isinstance(description, list):
        return [build(item) for item in description]
    if not isinstance(description, dict):
        return description
    if description.get("kind") == KIND:
        return build_net(description, build)
    arguments = {name: build(value) for name, value in description.items() if name != "kind"}
    found: Callable[..., Any] | None = next(
        (kind for kind in _kinds(*get_args(Model), Unit, Coupling) if kind.__name__ == description.get("kind")), None
    )
    if found is None:
        raise ValueError(f"the file holds a {description.get('kind')!r}, which is no known model, unit or coupling")
    if found is Groups:
        return Groups(*arguments["parts"])
    if found is DBN and "labels" not in arguments:
        arguments["labels"] = "untied" in arguments and _were_labels(arguments["rbms"])
    return found(**arguments)


def _were_labels(rbms: list[RBM]) -> bool:
    """Whether a net has labels, for a file that does not say so: as development versions of 0.2.0 decided it.

    They recognised labels by the layers' shapes. Files of 0.1 do not say "untied", and their nets had no labels.
    """
    visible = rbms[-1].visible
    parts = list(visible.layers()) if isinstance(visible, Groups) else []
    shaped = len(parts) == 2 and isinstance(parts[1], Softmax) and parts[1].groups == 1
    return shaped and (len(rbms) == 1 or rbms[-2].hidden.output_shape != visible.shape)


def unshared(module: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of the module's state. A tensor with several names appears once."""
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[prefix + name] = tensor.detach()
    return tensors


def first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinity, or None."""
    finite = {name: tensor.isfinite().all() for name, tensor in tensors.items() if tensor.is_floating_point()}
    device = next((flag.device for flag in finite.values()), None)
    if not finite or bool(torch.stack([flag.to(device) for flag in finite.values()]).all()):  # one look at a GPU for all of them
        return None
    return next(name for name, flag in finite.items() if not bool(flag))


def renamed(module: nn.Module, tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Tensors of a file under present names. A file's names are the module's names after one of `prefixes`.

    In development versions of 0.2.0 a deep Boltzmann machine was an RBM itself. Now it has one, its `joint`.
    """
    own, found = module.state_dict().keys(), {}
    for name, tensor in tensors.items():
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        rest = name.removeprefix(prefix)
        found[f"{prefix}joint.{rest}" if rest not in own and f"joint.{rest}" in own else name] = tensor
    return found


@torch.no_grad()
def restore(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str = "") -> None:
    """Copies saved tensors into the module. Raises a ValueError that names one which is missing, has another shape or type, or NaN."""
    check_fits(module, tensors, prefix)
    tensors = renamed(module, tensors, prefix)
    own = unshared(module, prefix)
    if wrong := first_not_finite({name: tensors[name] for name in own}):
        raise ValueError(f"{wrong} in the file holds NaN or infinity: it is of no model that was learnt to the end")
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def check_fits(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str = "") -> None:
    """Raises a ValueError that names a tensor of the module which is missing among those saved, or has another shape or type there."""
    tensors = renamed(module, tensors, prefix)
    for name, tensor in unshared(module, prefix).items():
        found = tensors.get(name)
        if found is None or found.shape != tensor.shape or found.is_floating_point() != tensor.is_floating_point():
            words = "nothing" if found is None else f"shape {tuple(found.shape)} and {found.dtype}"
            raise ValueError(
                f"the file does not fit the model: expected {name} of shape {tuple(tensor.shape)} and {tensor.dtype}, found {words}"
            )


def save(model: Model | nn.Module, path: str | os.PathLike[str]) -> None:
    """Writes a model, or a net of torch.nn, to one file.

    The write is atomic: `path` holds the old model or the new one, never a part. Of several processes that learn together, only the first
    one writes. The file holds tensors, and a description in JSON; nothing in it is executed when it is read.

    Parameters
    ----------
    model : RBM, DBN, DBM, SigmoidBeliefNet, BoltzmannMachine, CommunityOfExperts, a mixture, ProductOfExperts or torch.nn.Module
        The model; or a net as `hm.nets` makes them, and others of `nn.Sequential` and modules of torch.nn with plain arguments.
    path : str or path-like
        The file. A file of this name is replaced.

    Raises
    ------
    TypeError
        For an object of another kind, for parameters of several floating-point types, and for nets that their modules' arguments do not
        describe, such as those with hooks, or with a class or a `forward` of one's own.
    ValueError
        For a model that holds NaN or infinity.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> hm.save(rbm, "rbm.safetensors")
    >>> torch.equal(hm.load("rbm.safetensors").coupling.weight, rbm.coupling.weight)
    True
    """
    if isinstance(model, Model):
        words = describe(model)
    elif isinstance(model, nn.Module) and not isinstance(model, Unit | Coupling):
        words = describe_net(model, describe, build)
    else:
        raise TypeError(f"hm.save writes models and nets of torch.nn, found {type(model).__name__}")
    tensors = unshared(model)
    if len(kinds := {str(tensor.dtype) for tensor in tensors.values() if tensor.is_floating_point()}) > 1:
        raise TypeError(f"hm.save writes models of one type, found {' and '.join(sorted(kinds))}: model.double() or .float() makes it one")
    if wrong := first_not_finite(tensors):
        raise ValueError(f"hm.save writes models of finite numbers, and {wrong} of this {type(model).__name__} holds NaN or infinity")
    dtype = str(next(model.parameters(), torch.empty(0)).dtype).removeprefix("torch.")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, tensors, {"model": words, "dtype": dtype})


def load(path: str | os.PathLike[str]) -> Any:
    """The model that `save` wrote, on the CPU.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    RBM, DBN, DBM, SigmoidBeliefNet, BoltzmannMachine, CommunityOfExperts, a mixture, ProductOfExperts or torch.nn.Module
        The model, with the dtype that it was saved with; a net in the mode that it was saved in.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file holds no model, or one that cannot be rebuilt. The message names the file and the fault.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.save(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), "rbm.safetensors")
    >>> hm.load("rbm.safetensors").visible.shape
    (6,)
    """
    tensors, header = read_tensors(path)
    if "model" not in header:
        raise ValueError(f"{path} holds no model; is it a training checkpoint?")
    try:
        if _is_own(header["model"]):
            with torch.device("meta"):  # where sizes cost nothing, until they are seen to be those of the file's tensors
                check_fits(build(header["model"]), tensors)
        model = build(header["model"]).to(getattr(torch, header["dtype"]))
        restore(model, tensors)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    return model


def _is_own(description: Any) -> bool:
    """Whether a description names classes of this package alone, which can all be built without their numbers."""
    if isinstance(description, list):
        return all(map(_is_own, description))
    if not isinstance(description, dict):
        return True
    others = {kind.__name__ for kind in _kinds(Unit, Coupling) if not kind.__module__.startswith("harmonium.")}
    return description.get("kind") not in others and all(map(_is_own, description.values()))

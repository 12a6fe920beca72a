"""Models on disk: safetensors weights, and what to rebuild as JSON in the same file's header."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling
from harmonium.models.boltzmann import BoltzmannMachine
from harmonium.models.dbn import DBN
from harmonium.models.experts import Mixture, ProductOfExperts
from harmonium.models.rbm import RBM
from harmonium.models.sigmoid_belief_net import SigmoidBeliefNet
from harmonium.units import Groups, Unit

FORMAT = "harmonium 1"
Model = RBM | DBN | SigmoidBeliefNet | BoltzmannMachine | Mixture | ProductOfExperts


def describe(value: object) -> Any:
    """A model, unit or coupling as JSON: its class's name and constructor arguments."""
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
    """The untrained object that `describe` described. ValueError for a kind that no imported class bears."""
    if isinstance(description, list):
        return [build(item) for item in description]
    if not isinstance(description, dict):
        return description
    arguments = {name: build(value) for name, value in description.items() if name != "kind"}
    found: Callable[..., Any] | None = next(
        (kind for kind in _kinds(*get_args(Model), Unit, Coupling) if kind.__name__ == description.get("kind")), None
    )
    if found is None:
        raise ValueError(f"the file holds a {description.get('kind')!r}, which is no model, unit or coupling known here")
    if found is Groups:
        return Groups(*arguments["parts"])
    return found(**arguments)


def unshared(module: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """The module's parameters and buffers, each tensor once, however many names it goes by."""
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for name, tensor in named:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[prefix + name] = tensor.detach()
    return tensors


@torch.no_grad()
def restore(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str = "") -> None:
    """Copies saved tensors into the module. ValueError names what is missing or has another shape."""
    for name, tensor in unshared(module, prefix).items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            found = f"shape {tuple(tensors[name].shape)}" if name in tensors else "nothing"
            raise ValueError(f"the file does not fit the model: expected {name} of shape {tuple(tensor.shape)}, found {found}")
        tensor.copy_(tensors[name])


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary name in the same folder, flushes to the disk and renames, so that no reader ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")  # one name, so that a killed writer leaves at most one
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """One safetensors file: tensors, and `header` as JSON in its metadata. Atomic."""
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "harmonium": json.dumps(header)}
    write_atomically(Path(path), safetensors.torch.save(content, metadata))


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote. FileNotFoundError, or a ValueError that names the file and its fault."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"{path} is a safetensors file, but not one of this package's ({FORMAT!r} expected in its header)")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(metadata["harmonium"])  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}") from error
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} has a header that cannot be read: {error}") from error


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Writes a model to one file. The write is atomic: `path` holds the old model or the new one, never a part."""
    tensors = unshared(model)
    dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    write_tensors(path, tensors, {"model": describe(model), "dtype": dtype})


def load(path: str | os.PathLike[str]) -> Any:
    """The model that `save` wrote, on the CPU. FileNotFoundError, or a ValueError that names the file and its fault."""
    tensors, header = read_tensors(path)
    if "model" not in header:
        raise ValueError(f"{path} holds no model; is it a training checkpoint?")
    try:
        model = build(header["model"]).to(getattr(torch, header["dtype"]))
        restore(model, tensors)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    return model

"""Files in the safetensors format with a JSON header, written completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

from harmonium.processes import is_first

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "harmonium 1"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file atomically, so that no reader sees a partial file.

    The content goes to a temporary name in the same folder, is flushed to the disk and renamed. Missing folders are made. Of several
    processes that learn together, only the first one writes.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    content : bytes
        All of its content.
    """
    if not is_first():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")  # one fixed name, so that a killed writer leaves at most one file
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Writes tensors and a header to one safetensors file, atomically.

    Parameters
    ----------
    path : str or path
        The file.
    tensors : mapping of str to torch.Tensor
        The tensors by name.
    header : mapping
        Stored as JSON in the file's metadata.
    """
    import safetensors.torch  # here: a run's JSON is written without PyTorch

    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "harmonium": json.dumps(header)}
    write_atomically(Path(path), safetensors.torch.save(content, metadata))


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a file that `write_tensors` wrote.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    tensors : dict of str to torch.Tensor
        The tensors by name, on the CPU.
    header : dict
        The header.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a file of another format or a damaged one; the message names the file and its fault.
    """
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
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error
    except (KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} has a header that cannot be read: {error}") from error

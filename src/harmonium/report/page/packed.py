"""A net's tensors as text: int8 with a scale for each row, or float16, in one block of bytes that is compressed and written in base64."""

from __future__ import annotations

import base64
import gzip
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .layered import Layered

Weights = Literal["int8", "float16"]


class Block:
    """Tensors one after the other in a block of bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._known: dict[int, tuple[Tensor, dict[str, Any]]] = {}

    def add(self, tensor: Tensor, kind: str = "float32") -> dict[str, Any]:
        """Appends a tensor, once, and returns where it is and how to read it."""
        if id(tensor) not in self._known:
            self._known[id(tensor)] = tensor, self._append(tensor, kind)  # kept, so that no other tensor gets its number
        return self._known[id(tensor)][1]

    def text(self) -> str:
        """The block, compressed, in base64. The same tensors give the same text."""
        return base64.b64encode(gzip.compress(bytes(self._bytes), mtime=0)).decode("ascii")

    def _append(self, tensor: Tensor, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": kind, "shape": list(tensor.shape)}
        if kind == "int8":
            scale = row_scales(tensor)
            found["scales"] = self._append(scale, "float32")
            tensor = torch.round(tensor / scale[:, None])
        found["at"] = len(self._bytes)
        self._bytes += tensor.cpu().numpy().astype(np.dtype(kind).newbyteorder("<")).tobytes()
        return found


def row_scales(weights: Tensor) -> Tensor:
    """The step of each row's int8 weights: (rows,). Its largest weight is 127 steps."""
    largest = weights.abs().amax(1)
    return torch.where(largest > 0, largest / 127, 1.0)


def net_header(net: Layered, block: Block, weights: Weights) -> dict[str, Any]:
    """A net as JSON, its tensors put into the block."""
    return {
        "kind": net.kind,
        "directed": net.directed,
        "sizes": [len(net.down[0]), *(len(bias) for bias in net.up)],
        "links": [{"up": block.add(link.up, weights), "down": block.add(link.down, weights)} for link in net.links],
        "up": [block.add(bias) for bias in net.up],
        "down": [block.add(bias) for bias in net.down],
        "variance": None if net.variance is None else block.add(net.variance),
        "labels": None if net.labels is None else {"weight": block.add(net.labels[0], weights), "bias": block.add(net.labels[1])},
    }

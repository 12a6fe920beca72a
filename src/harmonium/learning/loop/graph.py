"""Updates recorded once and replayed: one launch in place of a hundred."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harmonium.learning.loop.step import Step
from harmonium.units import Given

Record = Callable[[Callable[[], None], torch.Generator], Callable[[], None]]


def cuda_graph(work: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
    """Record the kernels of `work` without running them. Returns a function that runs them, with new draws of the generator."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        work()
    return graph.replay


class Captured:
    """A `Step` that is recorded at the second update of each epoch, and replayed at the others.

    The first update of an epoch runs as it is: rates, rules and the parts that learn may change between epochs, and it makes the epoch's
    sums. So does a batch of another shape, such as a short last one. The draws are those of the step itself, so nothing learned differs.

    Parameters
    ----------
    step : Step
        The update.
    record : callable, default cuda_graph
        (work, generator) -> a function that repeats what `work` computes, on the same tensors.
    """

    def __init__(self, step: Step, record: Record = cuda_graph) -> None:
        self.step, self.record = step, record
        self.epoch: int | None = None
        self.kept: tuple[Any, ...] = ()
        self.replay: Callable[[], None] | None = None

    def __call__(self, *batch: Any) -> None:
        state = self.step.state
        if state.epoch != self.epoch:
            self.epoch, self.replay = state.epoch, None
            self.step(*batch)
            return
        if self.replay is None:
            device = next(state.model.parameters()).device
            self.kept = tuple(_mapped(piece, partial(Tensor.to, device=device, copy=True)) for piece in batch)
            self.replay = self.record(partial(self.step.compute, *self.kept), state.generator)
        elif not _copied(self.kept, batch):
            self.step(*batch)
            return
        self.replay()
        self.step.finish()


def _mapped(piece: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """A part of a batch with a function of each of its tensors."""
    return function(piece) if isinstance(piece, Tensor) else piece.map(function) if isinstance(piece, Given) else piece


def _copied(kept: tuple[Any, ...], batch: tuple[Any, ...]) -> bool:
    """Copy the tensors of a batch into those that are kept, if their shapes are the same. Returns whether they are."""
    pairs = list(zip(_tensors(kept), _tensors(batch), strict=True))
    same = all(old.shape == new.shape for old, new in pairs)
    for old, new in pairs if same else ():
        old.copy_(new)
    return same


def _tensors(batch: tuple[Any, ...]) -> list[Tensor]:
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    for piece in batch:
        _mapped(piece, note)
    return found


def captured(step: Step, capture: bool) -> Step | Captured:
    """The step, recorded if `capture` asks for it. Raises a ValueError if the model is on another device than a GPU."""
    if not capture:
        return step
    device = next(step.state.model.parameters()).device
    if device.type != "cuda":
        raise ValueError(f'capture=True replays updates as a CUDA graph, and the model is on {device}: move it first, model.to("cuda")')
    return Captured(step)

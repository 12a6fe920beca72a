"""Recorded updates: what a CUDA graph repeats, which is the same operations on the same tensors, is all that an update does.

On the CPU a tape of operations stands in for the graph. Whatever an update computed on the host, or kept in a new tensor, would stay as it
was when it was recorded.
"""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import harmonium as hm
from harmonium.learning.loop.graph import Captured
from harmonium.learning.loop.step import Step
from tests.learning.test_step import ROWS, TRAININGS

FROM_HOST = {"aten.lift_fresh.default", "aten.lift_fresh_copy.default"}  # a number that the host made becomes a tensor
UNSET = {"aten.empty.memory_format", "aten.empty_like.default", "aten.empty_strided.default", "aten.new_empty.default"}


class Tape(TorchDispatchMode):
    """Notes each operation with its tensors, and repeats them."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        assert str(operation) not in FROM_HOST
        found = operation(*args, **(kwargs or {}))
        self.operations.append((operation, args, kwargs or {}, found))
        return found

    @torch.no_grad()
    def repeat(self) -> None:
        for operation, args, kwargs, found in self.operations:
            if operation.is_view or torch.Tag.inplace_view in operation.tags or str(operation) in UNSET:
                continue
            again = operation(*args, **kwargs)
            for old, new in zip(tree_leaves(found), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new.reshape(old.shape))  # views in place may have changed it


REPLAYS: list[int] = []


def taped(work: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
    """Records `work`. The first repeat does nothing, because a tape runs what it records and a graph does not."""
    tape, runs = Tape(), 0
    with tape:
        work()

    def replay() -> None:
        nonlocal runs
        runs += 1
        if runs > 1:
            tape.repeat()
        REPLAYS.append(runs)

    return replay


def result(name: str, record: Callable[..., Any] | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All that a training leaves behind, by name."""
    states: list[hm.TrainingState] = []

    def captured(step: Step, capture: bool) -> Any:
        states.append(step.state)
        return step if record is None else Captured(step, record)

    for entry in ("fit", "wake_sleep", "finetune", "replicas.fit_replicas", "replicas.fine_tune_replicas"):
        monkeypatch.setattr(sys.modules[f"harmonium.learning.{entry}"], "captured", captured)
    torch.manual_seed(0)
    TRAININGS[name]()
    found: dict[str, Any] = {}
    for state in states:
        found |= {f"{len(found)} {key}": value.clone() for key, value in state.model.state_dict().items()}
        found |= {f"{len(found)} {owner}.{key}": value for owner, slots in state.slots.items() for key, value in slots.items()}
        found |= {f"{len(found)} generator": state.generator.get_state(), f"{len(found)} step": torch.tensor(state.step)}
        rows = [{key: value for key, value in row.items() if key != "seconds"} for row in state.history]
        found[f"{len(found)} history"] = torch.tensor([list(row.values()) for row in rows], dtype=torch.float64)
    return found


@pytest.mark.parametrize("name", TRAININGS)
def test_repeated_operations_learn_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = result(name, None, monkeypatch)
    REPLAYS.clear()
    repeated = result(name, taped, monkeypatch)
    assert max(REPLAYS) == 3  # of four updates an epoch one runs as it is, one is recorded, and two are repeats
    assert plain.keys() == repeated.keys()
    for key, value in plain.items():
        assert torch.equal(value.nan_to_num(-1.0), repeated[key].nan_to_num(-1.0)), key


def test_a_short_last_batch_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    monkeypatch.setitem(TRAININGS, "short", lambda: runs.append(hm.fit(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), ROWS, **SHORT)))
    plain, repeated = result("short", None, monkeypatch), result("short", taped, monkeypatch)
    assert [state.step for state in runs] == [6, 6]
    assert all(torch.equal(value, repeated[key]) for key, value in plain.items())


SHORT: dict[str, Any] = {"batch_size": 15, "epochs": 2, "progress": False}


def test_a_tape_does_not_see_the_host() -> None:
    """A number that the host counts stays as it was recorded: the comparison would fail."""
    total, count = torch.zeros(()), 0

    def work() -> None:
        nonlocal count
        count += 1
        total.add_(count)

    replay = taped(work, torch.Generator())
    for _ in range(3):
        replay()
    assert total == 3  # not 1 + 2 + 3


def test_only_a_gpu_records() -> None:
    with pytest.raises(ValueError, match=r'the model is on cpu: move it first, model\.to\("cuda"\)'):
        hm.fit(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), ROWS, capture=True, progress=False)

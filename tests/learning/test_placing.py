"""Where a training computes."""

from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data.pinned import PinnedRows
from harmonium.learning import placing
from harmonium.learning.placing import place, placed_rows

ROWS = torch.eye(6)
QUIET: dict[str, Any] = {"epochs": 1, "progress": False}


def trainings(device: Any) -> None:
    """Each entry point that takes a device."""
    hm.fit(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), ROWS, device=device, **QUIET)
    dbn = hm.greedy(ROWS, [hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)], device=device, **QUIET)
    hm.wake_sleep(dbn.untie(), ROWS, device=device, **QUIET)
    hm.fine_tune(torch.nn.Sequential(torch.nn.Linear(6, 2)), ROWS, torch.arange(6) % 2, device=device, **QUIET)


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "auto", None])
def test_every_training_takes_a_device(device: Any) -> None:
    trainings(device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="device='cuda' needs a GPU that PyTorch sees, and it sees none here"):
        trainings("cuda")
    for unknown in ("gpu", "meta", "mps", 3):
        with pytest.raises(ValueError, match="found"):
            trainings(unknown)


def test_a_state_goes_on_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    state = hm.fit(rbm, ROWS, **QUIET)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ValueError, match="of a training on cpu, and goes on there"):
        place(rbm, "cuda", state)


def test_auto_takes_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[torch.device] = []
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    monkeypatch.setattr(rbm, "to", moved.append)
    for there in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        place(rbm, "auto")
    assert moved == [torch.device("cpu"), torch.device("cuda")]


def test_data_stay_on_the_host_if_they_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []

    def free(device: torch.device) -> tuple[int, int]:
        asked.append(device)
        return 100, 1000

    monkeypatch.setattr(placing.torch.cuda, "mem_get_info", free)
    monkeypatch.setattr(placing.torch.cuda, "Stream", lambda device: device)
    gpu, large = torch.device("cuda"), np.zeros(51, dtype=np.uint8)
    staying = placed_rows(large, gpu, lambda rows: rows)
    assert isinstance(staying, PinnedRows)
    assert len(staying) == 51
    assert staying.data.data_ptr() == large.ctypes.data  # not copied
    assert placed_rows(ROWS, torch.device("cpu"), lambda rows: rows).data is ROWS
    assert asked == [gpu]

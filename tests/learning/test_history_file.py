"""The history in a checkpoint: every row as it was, in little room; and files of earlier versions."""

import json
import math
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors, write_tensors
from harmonium.learning import TrainingState
from harmonium.learning.loop.history_file import KINDS, VALUES, packed, room, unpacked

ROWS = [
    {"epoch": 1.0, "error": 0.1, "seconds": 1e-320},
    {"epoch": 2.0, "error": math.inf, "seconds": -0.0, "validation": 2**0.5},
    {"error": 0.3, "epoch": 3.0, "seconds": 4.5},
    {},
]


@pytest.mark.parametrize(
    "rows", [ROWS, [], [{"epoch": 1.0, "note": "a callback's"}], [{"count": 3}]], ids=["floats", "none", "a text", "a whole number"]
)
def test_rows_are_as_they_were(rows: list[dict[str, float]]) -> None:
    tensors, header = packed(rows)
    found = unpacked(tensors, json.loads(json.dumps(header)))
    assert [list(row.items()) for row in found] == [list(row.items()) for row in rows]
    assert [type(value) for row in found for value in row.values()] == [type(value) for row in rows for value in row.values()]


def test_nan_is_kept() -> None:
    (row,) = unpacked(*packed([{"epoch": 1.0, "ratio": math.nan}]))
    assert math.isnan(row["ratio"])


def test_histories_have_few_sizes() -> None:
    """The writer keeps memory for each size, and a long training writes thousands of histories."""
    sizes = [room(count) for count in range(100_000)]
    assert all(count <= size <= max(count + 7, 1.125 * count) for count, size in enumerate(sizes))
    assert len(set(sizes)) < 125
    tensors, _ = packed([{"epoch": 1.0, "error": 0.5}] * 1000)
    assert [len(tensors[VALUES]), len(tensors[KINDS])] == [2048, 1024]


def test_a_history_without_room_is_read() -> None:
    tensors, header = packed(ROWS)
    earlier = {VALUES: tensors[VALUES][:10], KINDS: tensors[KINDS][: len(ROWS)]}
    assert unpacked(earlier, header) == unpacked(tensors, header) == ROWS


def test_a_row_takes_eight_bytes_for_each_figure(tmp_path: Path) -> None:
    row = {"reconstruction_error": 1 / 3, "pseudo_likelihood": -2 / 3}
    sizes = []
    for count in (1024, 2048):  # sizes that leave no room
        tensors, header = packed([row] * count)
        write_tensors(tmp_path / "history", tensors, {"history": header})
        sizes.append((tmp_path / "history").stat().st_size)
    assert sizes[1] - sizes[0] == pytest.approx(1024 * (2 * 8 + 4), abs=32)  # a length in the header may have a digit more


@pytest.mark.parametrize("header", [None, {}, [], [["epoch"]], [["epoch", "error", "more"]]])
def test_what_is_no_history_is_refused(header: object) -> None:
    tensors, _ = packed([{"epoch": 1.0, "error": 0.5}])
    with pytest.raises((TypeError, IndexError)):
        unpacked(tensors, header)


def learn(path: Path, epochs: int) -> TrainingState:
    rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=0)
    return hm.fit(rbm, torch.eye(6), epochs=epochs, checkpoint=path, seed=1, progress=False)


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    early = learn(tmp_path / "early", epochs=2)
    tensors, header = read_tensors(tmp_path / "early")
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("history.")}
    write_tensors(tmp_path / "earlier", tensors, {**header, "version": 2, "history": early.history})
    found, expected = (learn(tmp_path / name, epochs=3) for name in ("earlier", "early"))
    assert found.history[:2] == early.history
    seconds = {"seconds": 0.0}
    assert [row | seconds for row in found.history] == [row | seconds for row in expected.history]
    assert len(found.history) == 3
    assert torch.equal(found.model.coupling.weight, expected.model.coupling.weight)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        learn(tmp_path, epochs=1)

"""Data larger than memory: what is read is only what is visited, and what is wrong is found when it is visited."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.lib.format import open_memmap

import harmonium as hm
from harmonium.data import order
from harmonium.data.sparse import SparseRows, is_sparse
from harmonium.learning.checked import is_mapped

ROWS = (np.random.default_rng(0).random((50, 4)) < np.array([0.2, 0.4, 0.6, 0.8])).astype(np.float32)
SPARSE: dict[str, Callable[[np.ndarray], Any]] = {
    "csr array": scipy.sparse.csr_array,
    "csr matrix of bytes": lambda rows: scipy.sparse.csr_matrix(rows.astype(np.uint8)),
    "coo": scipy.sparse.coo_array,
    "list of lists": scipy.sparse.lil_matrix,
    "torch csr": lambda rows: torch.from_numpy(rows).to_sparse_csr(),
    "torch coo": lambda rows: torch.from_numpy(rows).to_sparse(),
}


def mapped(path: Path, rows: np.ndarray) -> np.memmap:
    np.save(path, rows)
    found: np.memmap = np.load(path, mmap_mode="r")
    return found


def learnt(data: Any, **settings: Any) -> dict[str, torch.Tensor]:
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3), seed=1)
    hm.fit(rbm, data, **{"epochs": 2, "batch_size": 20, "progress": False, **settings})
    return rbm.state_dict()


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_lies_in_a_memory_map(tmp_path: Path) -> None:
    found = mapped(tmp_path / "rows.npy", ROWS)
    assert all(is_mapped(each) for each in (found, found[3:], np.asarray(found), found[:, ::2].T))
    assert not any(is_mapped(each) for each in (ROWS, found[[1, 2]].copy(), torch.zeros(2), None))


def test_a_memory_map_is_not_read_whole_before_learning_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked before the first update is the sample for the metrics and the base rates."""
    rows, checked = mapped(tmp_path / "rows.npy", np.zeros((30_000, 4), np.float32)), []
    check = hm.Bernoulli.check
    monkeypatch.setattr(hm.Bernoulli, "check", lambda unit, states: (checked.append(len(states)), check(unit, states))[1])

    class AtFirst(hm.Callback):
        def on_start(self, state: hm.TrainingState, epochs: int, batches: int) -> None:
            assert sum(checked) < 15_000

    learnt(rows, epochs=1, batch_size=1000, callbacks=[AtFirst()])
    assert sum(checked) > 30_000


@pytest.mark.parametrize("value", [0.3, -1.0, float("nan")])
def test_a_wrong_row_of_a_memory_map_is_named_when_it_is_visited(tmp_path: Path, value: float) -> None:
    rows = np.zeros((20_000, 4), np.float32)
    rows[12_345, 2] = value
    with pytest.raises(ValueError, match=r"Bernoulli units expect.*\(row 12345 of the data\)"):
        learnt(mapped(tmp_path / "rows.npy", rows), batch_size=500)
    with pytest.raises(ValueError, match=r"Bernoulli units expect") as in_memory:
        learnt(rows)
    assert "row" not in str(in_memory.value)


def test_rows_of_weight_zero_and_gaps_of_a_memory_map_hold_anything(tmp_path: Path) -> None:
    spoilt, weights, missing = ROWS.copy(), np.ones(50), np.zeros((50, 4), bool)
    spoilt[7], weights[7] = 5, 0
    spoilt[9, 1], missing[9, 1] = np.nan, True
    plain = mapped(tmp_path / "missing.npy", missing)
    found = learnt(mapped(tmp_path / "rows.npy", spoilt), sample_weight=weights, given=hm.Given(missing=plain))
    same(found, learnt(spoilt, sample_weight=weights, given=hm.Given(missing=torch.from_numpy(missing))))


def test_a_mapped_mask_is_checked_when_it_is_visited(tmp_path: Path) -> None:
    mask = mapped(tmp_path / "mask.npy", np.full((50, 4), 2, np.uint8))
    with pytest.raises(ValueError, match="mask missing must hold booleans"):
        learnt(ROWS, given=hm.Given(missing=mask))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")  # PyTorch's own word on making one
@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_data_give_the_same_bits_as_dense_ones(kind: str) -> None:
    data = SPARSE[kind](ROWS)
    assert is_sparse(data)
    same(learnt(data, validation=data), learnt(ROWS, validation=ROWS))


def test_sparse_batches_of_a_stream() -> None:
    batches = [ROWS[:20], ROWS[20:]]
    same(learnt([scipy.sparse.csr_array(each) for each in batches]), learnt(batches))


def test_sparse_data_of_a_stack() -> None:
    layers = [hm.Bernoulli(4), hm.Bernoulli(3), hm.Bernoulli(2)]
    means = hm.learning.features(scipy.sparse.csr_array(ROWS), hm.RBM(layers[0], layers[1], seed=1))
    dense = hm.learning.features(ROWS, hm.RBM(layers[0], layers[1], seed=1))
    torch.testing.assert_close(means.rows(torch.arange(50), torch.Generator()), dense)
    dbn = hm.greedy(scipy.sparse.csr_array(ROWS), layers, epochs=1, progress=False)
    hm.wake_sleep(dbn.untie(), scipy.sparse.csr_array(ROWS), epochs=1, progress=False)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (scipy.sparse.csr_array(ROWS[:, :3]), r", 4\), found \(50, 3\)"),
        (scipy.sparse.csr_array(ROWS * 3), r"3.*\(row \d+ of the data\)"),
        (torch.zeros(2, 4, 4).to_sparse(), r"one row per case, found \(2, 4, 4\)"),
    ],
)
def test_sparse_data_that_do_not_fit(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learnt(data)


def test_sparse_data_are_never_dense_as_a_whole() -> None:
    """20,000 x 400 floats would take 32 MB; batches of 1,000 rows take less than 4 MB."""
    data = scipy.sparse.random_array((20_000, 400), density=0.001, format="csr", dtype=np.float32, data_sampler=lambda size: np.ones(size))
    rows = SparseRows(data)
    tracemalloc.start()
    for start in range(0, 20_000, 5000):
        rows.rows(torch.arange(start, start + 1000), torch.Generator())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4e6


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders of any number of rows are computed."""
    monkeypatch.setattr(order, "HELD", 0)


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize("rows", [1, 2, 3, 1000, 1024, 1025, 200_000])
def test_a_computed_order_has_every_row_once(rows: int) -> None:
    found = order.Order(rows, 3)
    whole = found.numbers(0, rows)
    assert torch.equal(whole.sort().values, torch.arange(rows))
    pieces = [found.numbers(start, min(start + 777, rows)) for start in range(0, rows, 777)]
    assert torch.equal(torch.cat(pieces), whole)
    assert rows < 1000 or not torch.equal(order.Order(rows, 4).numbers(0, rows), whole)


@pytest.mark.usefixtures("computed")
def test_a_computed_order_is_random() -> None:
    """Of 500 orders of 1,000 rows: where a row comes, and what comes after it, are uniform over tenths. χ² of 81 freedoms, below 4 sd."""
    places, followers = np.zeros((10, 10)), np.zeros((10, 10))
    for seed in range(500):
        tenths = order.Order(1000, seed).numbers(0, 1000).numpy() // 100
        np.add.at(places, (np.arange(1000) // 100, tenths), 1)
        np.add.at(followers, (tenths[:-1], tenths[1:]), 1)
    for counts in (places, followers):
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 81 + 4 * np.sqrt(2 * 81)


@pytest.mark.usefixtures("computed")
def test_a_computed_order_takes_constant_memory() -> None:
    tracemalloc.start()
    found = order.Order(10**9, 0)
    for batch in range(3):
        assert len(found.numbers(10**8 * batch, 10**8 * batch + 1000)) == 1000
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20e6


@pytest.mark.usefixtures("computed")
def test_training_resumes_inside_an_epoch_of_a_computed_order(tmp_path: Path) -> None:
    class Cut(hm.Callback):
        def on_step(self, state: hm.TrainingState) -> None:
            if state.step == 4:
                state.save(tmp_path / "cut.safetensors")

    whole = learnt(ROWS, callbacks=[Cut()])
    same(learnt(ROWS, checkpoint=tmp_path / "cut.safetensors"), whole)


def test_a_map_of_many_rows_is_learnt_from(tmp_path: Path) -> None:
    """2^20 + 1 rows, whose order is computed: the mean of each unit is learnt."""
    rows = open_memmap(tmp_path / "rows.npy", "w+", np.uint8, (2**20 + 1, 4))
    rows[: 2**19] = 1
    found = learnt(rows, epochs=1, batch_size=4096)
    assert all(bool(value.isfinite().all()) for value in found.values())

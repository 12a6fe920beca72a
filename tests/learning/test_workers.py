"""Learning in workers, by fork and by spawn, and in threads; data that workers load: the same bits as alone, and no hang."""

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import harmonium as hm
from harmonium.files import read_tensors

SECONDS = 120  # by then it hangs
METHODS = ["fork", "spawn"] if sys.platform.startswith("linux") else ["spawn"]
# Python warns of threads beside a fork; those of the test's own process are at rest then.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def rows() -> torch.Tensor:
    return (torch.rand(120, 12, generator=torch.Generator().manual_seed(0)) < 0.3).float()


def learn(seed: int, data: object = None, checkpoint: Path | None = None) -> list[float]:
    """The weights and the chains after some epochs of persistent chains."""
    rbm = hm.RBM(12, 7, seed=seed)
    state = hm.fit(rbm, rows() if data is None else data, negative=hm.PersistentCD(chains=15), epochs=2, batch_size=10,
                   optimizer=partial(torch.optim.SGD, lr=0.05, momentum=0.5), seed=seed, checkpoint=checkpoint, progress=False)  # fmt: skip
    assert state.chains is not None
    return [*rbm.coupling.weight.detach().flatten().tolist(), *state.chains.flatten().tolist()]


def work(seed: int, folder: Path) -> None:
    torch.set_num_threads(1)
    learn(seed, checkpoint=folder / str(seed))


def ended(process: BaseProcess) -> bool:
    """Whether a process came to its end by itself."""
    process.join(SECONDS)
    alive = process.is_alive()
    process.kill()
    process.join()
    return not alive and process.exitcode == 0


@pytest.mark.parametrize("method", METHODS)
def test_two_workers_learn_as_one_process_does(method: str, tmp_path: Path) -> None:
    expected = [learn(seed, checkpoint=tmp_path / f"alone {seed}") for seed in (1, 2)]  # first: a fork then has what this left behind
    workers = [multiprocessing.get_context(method).Process(target=work, args=(seed, tmp_path)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    assert [ended(worker) for worker in workers] == [True, True]
    for seed in (1, 2):
        alone, found = (read_tensors(tmp_path / name)[0] for name in (f"alone {seed}", str(seed)))
        assert found.keys() == alone.keys()
        same = [name for name in alone if torch.equal(found[name], alone[name]) or name == "history.values"]  # seconds are in it
        assert len(same) == len(alone)
        learnt = [*found["model.coupling.weight"].flatten().tolist(), *found["slots.rule.chains"].flatten().tolist()]
        assert learnt == expected[seed - 1]


def work_with_two(seed: int, folder: Path) -> None:
    try:
        torch.set_num_threads(2)
        learn(seed, checkpoint=folder / str(seed))
    except ValueError as error:
        (folder / "said").write_text(str(error))


@pytest.mark.skipif("fork" not in METHODS, reason="processes are not forked here")
def test_a_fork_of_a_process_with_threads_says_that_its_own_would_wait_for_ever(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    learn(1)
    for task in (work_with_two, work):
        (tmp_path / task.__name__).mkdir()
        worker = multiprocessing.get_context("fork").Process(target=task, args=(1, tmp_path / task.__name__))
        worker.start()
        assert ended(worker)
    said = (tmp_path / "work_with_two" / "said").read_text()
    assert "would wait for its own 2 for ever: call torch.set_num_threads(1) in it first" in said
    assert (tmp_path / "work" / "1").exists()


class Parts(IterableDataset):  # type: ignore[type-arg]
    """Batches of which each worker makes every second one."""

    def __iter__(self):  # type: ignore[no-untyped-def]
        info = get_worker_info()
        number, workers = (0, 1) if info is None else (info.id, info.num_workers)
        yield from rows().split(10)[number::workers]


LOADERS = [(make, method) for make in (rows, Parts) for method in METHODS if (make, method) != (Parts, "spawn")]  # which takes long


@pytest.mark.parametrize(("make", "method"), LOADERS)
def test_batches_that_workers_load_are_those_that_none_loads(make, method: str) -> None:  # type: ignore[no-untyped-def]
    """One worker after the other has its turn, so that the order is that of the batches. The workers end with the loader."""
    settings = {"batch_size": None} if make is Parts else {"batch_size": 10}
    workers = {"num_workers": 2, "multiprocessing_context": method, "timeout": SECONDS, "persistent_workers": True}
    loader, alone = DataLoader(make(), **settings, **workers), DataLoader(make(), **settings)
    assert learn(1, loader) == learn(1, alone)
    del loader
    assert not multiprocessing.active_children()


def test_two_trainings_in_two_threads_do_as_one_after_the_other(tmp_path: Path) -> None:
    expected = [learn(seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as threads:
        found = [threads.submit(learn, seed, None, tmp_path / str(seed)) for seed in (1, 2)]
        assert [each.result(SECONDS) for each in found] == expected

"""Two processes learn as one does: the gradient of a deterministic rule, the statistics of a sampled one, and the same bits in both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from tests.learning.in_processes import CASES, CHAINS, DETERMINISTIC, EPOCHS, SAMPLED, Found, data, learn, main

ROOT = Path(__file__).parents[2]
PROCESSES = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def each(folder: Path) -> list[Found]:
    """What each of two processes found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": str(PROCESSES), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    common["PYTHONFAULTHANDLER"] = "1"  # a process that is aborted says where
    command = [sys.executable, "-m", "tests.learning.in_processes", str(folder)]
    running = [
        subprocess.Popen(command, env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for rank in range(PROCESSES)
    ]
    said = [process.communicate(timeout=120)[1] for process in running]
    assert not any(process.returncode for process in running), "\n".join(said)
    return [torch.load(folder / f"{PROCESSES}.{rank}.pt") for rank in range(PROCESSES)]


@pytest.fixture(scope="module")
def alone(folder: Path) -> Found:
    main(folder)
    found: Found = torch.load(folder / "1.0.pt")
    return found


def test_all_processes_have_the_same_bits_and_figures(each: list[Found]) -> None:
    for name, value in each[0].items():
        assert torch.equal(value, each[1][name]) or name.endswith("chains"), name


@pytest.mark.parametrize("name", [*DETERMINISTIC, *(name + end for name in ("tuned", "tuned weighted") for end in ("", ".figures"))])
def test_a_deterministic_rule_learns_what_one_process_learns(name: str, each: list[Found], alone: Found) -> None:
    torch.testing.assert_close(each[0][name], alone[name], atol=1e-6, rtol=1e-5 if "." in name else 0)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sampled_rule_learns_alike_with_other_draws(name: str, each: list[Found], alone: Found) -> None:
    """Both have moved as far from the start, much further than they are apart."""
    start = torch.cat([p.detach().double().flatten() for p in hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2).parameters()])
    moved, apart = (alone[name] - start).norm(), (each[0][name] - alone[name]).norm()
    assert 0 < apart < 0.5 * moved
    assert (each[0][name] - start).norm() == pytest.approx(moved.item(), rel=0.1)


def test_the_visible_means_of_a_sampled_rule_are_the_data_s(each: list[Found], alone: Found) -> None:
    """Exactly, of the machine that CD-1 learns: within four standard errors of the data, as one process's are."""
    for found in (each[0], alone):
        rbm = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(7), seed=2).double()
        torch.nn.utils.vector_to_parameters(found["cd"], rbm.parameters())
        v = torch.tensor([[n >> bit & 1 for bit in range(12)] for n in range(2**12)], dtype=torch.float64)
        means = torch.softmax(-rbm.free_energy(v), 0) @ v
        error = (data().double().var(0) / CASES).sqrt()
        assert bool(((means - data().double().mean(0)).abs() < 4 * error).all())


def test_chains_are_divided_and_each_process_has_its_own(each: list[Found]) -> None:
    share = -(-CHAINS // PROCESSES)
    for name, shape in (("pcd", (share, 12)), ("renewed", (share, 12)), ("fast", (share, 12)), ("tempered", (3, share, 12))):
        first, second = (found[f"{name}.chains"] for found in each)
        assert first.shape == second.shape == shape
        assert not torch.equal(first, second)


def test_a_stopped_training_goes_on_to_the_same_bits_in_as_many_processes(each: list[Found]) -> None:
    for found in each:
        assert torch.equal(found["whole"], found["resumed"])
        assert torch.equal(found["whole.chains"], found["resumed.chains"])


def test_a_checkpoint_goes_on_in_another_number_of_processes(folder: Path, each: list[Found], tmp_path: Path) -> None:
    """One process takes the chains of both, and ends near where two end."""
    path = folder / "kept.safetensors"
    saved = read_tensors(path)[0]
    assert saved["slots.rule.chains"].shape == (3, 2 * -(-CHAINS // 2), 12)
    assert len(saved["generators"]) == PROCESSES
    rule = hm.PersistentCD(chains=CHAINS, sampler=hm.Tempering(3))
    state = learn(negative=rule, batch_size=5, averaging=0.2, checkpoint=path)
    assert state.epoch == EPOCHS
    assert state.chains is not None
    assert state.chains.shape == (3, CHAINS, 12)
    found = torch.cat([p.detach().double().flatten() for p in state.model.parameters()])
    assert 0 < (found - each[0]["whole"]).norm() < 0.5 * each[0]["whole"].norm()


def test_the_first_process_keeps_the_trajectory(folder: Path, each: list[Found], alone: Found) -> None:
    assert torch.equal(each[0]["steps"], alone["steps"])
    assert len(hm.Trajectory(folder / "trajectory of 2").models()) == len(each[0]["steps"])


def test_annealing_divides_its_chains(each: list[Found], alone: Found) -> None:
    """51 chains each, of different draws; the estimate of either is within four standard errors of log Z."""
    assert [len(found["ais"]) for found in (*each, alone)] == [102, 102, 101]
    assert len(each[0]["ais"].unique()) == 102
    exact = hm.likelihood.exact_log_z(hm.RBM(hm.Bernoulli(8), hm.Bernoulli(6), hm.Dense(8, 6, scale=1.0), seed=1))
    for found in (each[0], alone):
        log_z, error = found["ais.figures"].tolist()
        assert abs(log_z - exact) < 4 * error

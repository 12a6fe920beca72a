"""Several processes at one run's folder, and what may happen to the folder while one of them learns there."""

import ctypes
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from harmonium import cli
from harmonium.files import read_tensors, write_tensors
from harmonium.learning.loop import trainer
from harmonium.runs import Run
from harmonium.runs.metrics_file import append_row, read_rows
from tests.forked import CONTEXT
from tests.runs.test_faults import outcome, work

WORDS = ("--threads", "1", "--layers.units", "30", "20", "--layers.epochs", "400")
READERS = 20
WRITES_EVERYWHERE = 1 << 1  # a capability of Linux, of root


def command(said: str, *words: str) -> None:
    """The command line, with a checkpoint at nearly every step; what it says to the user goes to a file."""
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(descriptor, 2)
    if sys.platform.startswith("linux"):
        obey_rights()
    trainer.CHECKPOINT_SECONDS = 0.005
    sys.argv = ["harmonium", *words]
    cli.main()


def obey_rights() -> None:
    """Root may write everywhere; not in this process."""
    libc, asked, held = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(asked, held)
    held[0] &= ~WRITES_EVERYWHERE
    libc.capset(asked, held)


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_of_two_resumes_at_once_one_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = CONTEXT.Process(target=command, args=(str(tmp_path / "first"), "run", "digits", *WORDS, "--out", str(folder)))
    first.start()
    wait(lambda: (folder / "checkpoints" / "layer-1.safetensors").exists())
    first.kill()
    first.join()
    both = [CONTEXT.Process(target=command, args=(str(tmp_path / name), "resume", str(folder))) for name in ("one", "other")]
    for process in both:
        process.start()
    wait(lambda: any(process.exitcode is not None for process in both))
    refused = next(process for process in both if process.exitcode is not None)
    winner = next(process for process in both if process is not refused)
    said = (tmp_path / ("one" if refused is both[0] else "other")).read_text().splitlines()
    assert refused.exitcode == 1
    assert said[-1] == f"harmonium: another process is learning in {folder}: wait until it is done, or stop it first"
    assert winner.is_alive()
    before = len(read_rows(folder / "metrics.jsonl"))
    wait(lambda: len(read_rows(folder / "metrics.jsonl")) > before)
    winner.terminate()
    winner.join()
    for rows in Run.open(folder).histories().values():
        assert [row["epoch"] for row in rows] == [float(number) for number in range(1, len(rows) + 1)]  # none is there twice


def write(folder: str) -> None:
    """A checkpoint and a row after another, all of whose figures are the same."""
    number = 0
    while True:
        number += 1
        tensors = {name: torch.full((50, 20), float(number)) for name in "ab"}
        write_tensors(Path(folder) / "state", tensors, {"number": number}, keep_previous=True)
        append_row(Path(folder) / "metrics.jsonl", {"phase": "one", "epoch": float(number), "error": float(number)})


def read(folder: str, reads: int) -> None:
    """Reads both so many times; any fault, and any warning of a damaged file, is this process's end."""
    warnings.simplefilter("error")
    last = 0
    for _ in range(reads):
        tensors, header = read_tensors(Path(folder) / "state")
        assert all(bool((tensor == header["number"]).all()) for tensor in tensors.values())
        assert header["number"] >= last
        last = header["number"]
        rows = read_rows(Path(folder) / "metrics.jsonl")
        assert [row["epoch"] for row in rows] == [row["error"] for row in rows] == [float(n) for n in range(1, len(rows) + 1)]
        assert len(rows) >= last - 1


def test_twenty_readers_beside_a_writer(tmp_path: Path) -> None:
    writer = CONTEXT.Process(target=write, args=(str(tmp_path),))
    writer.start()
    wait(lambda: (tmp_path / "metrics.jsonl").exists())
    readers = [CONTEXT.Process(target=read, args=(str(tmp_path), 25)) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert writer.is_alive()
    writer.kill()
    writer.join()
    assert [reader.exitcode for reader in readers] == [0] * READERS
    assert read_tensors(tmp_path / "state")[1]["number"] > 5


def test_a_run_that_is_told_to_end_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    work(tmp_path / "whole", 3)
    expected, chance, ended = outcome(tmp_path / "whole"), random.Random(0), 0
    for number in range(8):
        folder = tmp_path / str(number)
        process = CONTEXT.Process(target=work, args=(folder, 3))
        process.start()
        wait(lambda folder=folder: (folder / "config.json").exists())  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.03))
        process.terminate()
        process.join()
        ended += process.exitcode == -signal.SIGTERM
        work(folder, 3)
        assert outcome(folder) == expected
    assert ended


def started(folder: Path, said: Path) -> CONTEXT.Process:  # type: ignore[name-defined]
    """A run that is learning."""
    process = CONTEXT.Process(target=command, args=(str(said), "run", "digits", *WORDS, "--out", str(folder)))
    process.start()
    wait(lambda: (folder / "checkpoints" / "layer-1.safetensors").exists())
    return process


def check_one_line(process: CONTEXT.Process, said: Path, *words: str) -> None:  # type: ignore[name-defined]
    process.join(60)
    lines = [line for line in said.read_text().splitlines() if line.startswith("harmonium:")]
    assert process.exitcode == 1
    assert "Traceback" not in said.read_text()
    assert len(lines) == 1
    assert all(word in lines[0] for word in words), lines


def test_a_folder_that_is_moved_while_learning_is_one_line(tmp_path: Path) -> None:
    process = started(tmp_path / "run", tmp_path / "said")
    os.rename(tmp_path / "run", tmp_path / "moved")
    check_one_line(process, tmp_path / "said", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert Run.open(tmp_path / "moved").recipe == "digits"
    assert read_tensors(tmp_path / "moved" / "checkpoints" / "layer-1.safetensors")[1]["step"] > 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="rights of files are those of Linux")
def test_a_folder_that_becomes_read_only_while_learning_is_one_line(tmp_path: Path) -> None:
    process = started(tmp_path / "run", tmp_path / "said")
    folders = (tmp_path / "run" / "checkpoints", tmp_path / "run")
    for folder in folders:
        folder.chmod(0o555)
    check_one_line(process, tmp_path / "said", "Permission denied", str(tmp_path / "run"))
    for folder in folders:
        folder.chmod(0o777)
    assert read_tensors(tmp_path / "run" / "checkpoints" / "layer-1.safetensors")[1]["step"] > 0

"""Whatever goes wrong with the disk, at whatever operation: a run loses at most the epoch at work, and goes on to the same bits."""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.learning import TrainingState
from harmonium.runs import Recipe, Run
from harmonium.runs.metrics_file import read_rows
from tests.faulty_disk import Fault, Killed, faulty

PHASES, EPOCHS = ("first", "second", "third"), 3


@dataclasses.dataclass(frozen=True)
class Three(Recipe):
    """Three phases of learning, each on the hidden units of the one before."""

    name: ClassVar[str] = "three"
    paper: ClassVar[str] = "mine"
    published: ClassVar[dict[str, str]] = {}

    def run(self, run: Run) -> dict[str, Any]:
        data = torch.eye(6).repeat(5, 1)
        for number, phase in enumerate(PHASES):
            rbm = hm.RBM(hm.Bernoulli(data.shape[1]), hm.Bernoulli(5 - number), seed=number)
            hm.fit(rbm, data, negative=hm.PersistentCD(chains=4), epochs=EPOCHS, batch_size=15, seed=self.seed, progress=False,
                   callbacks=[run.callbacks(phase)[0], Counts()], checkpoint=run.checkpoint(phase))  # fmt: skip
            data = (rbm.hidden_mean(data) > 0.5).float()
        return self.results(run, "full", [("mean", data.mean().item(), "")])

    def report(self, run: Run) -> None:
        """Nothing is drawn."""


class Counts(hm.Callback):
    """Counts the epochs that were learnt."""

    learnt = 0

    def on_epoch(self, state: TrainingState) -> None:
        Counts.learnt += 1


def work(folder: Path) -> None:
    options = Three(seed=1, threads=1, out=folder)
    run = Run.begin(options.name, options)
    try:
        options.run(run)
    finally:
        run.release()


def outcome(folder: Path) -> dict[str, Any]:
    """What a finished run leaves: every tensor, every figure but the seconds."""
    found: dict[str, Any] = {}
    for phase in PHASES:
        tensors, header = read_tensors(folder / "checkpoints" / f"{phase}.safetensors")
        found |= {f"{phase} {name}": tensor.tolist() for name, tensor in tensors.items()}
        found[phase] = [{name: value for name, value in row.items() if name != "seconds"} for row in header["history"]]
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(folder / "metrics.jsonl")]
    return {**found, "rows": rows, "metrics": Run.open(folder).results()["metrics"]}


@pytest.fixture(autouse=True)
def _quick_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which commit and machine a session has is found out once a session, by other programs: a thousand sessions leave that out."""
    monkeypatch.setattr("harmonium.runs.folder.commit", lambda: "here")
    monkeypatch.setattr("harmonium.runs.folder.machine", lambda device: "this")


@functools.cache
def whole() -> tuple[dict[str, Any], int]:
    """The outcome of a run that nothing happens to, and the number of its operations."""
    with tempfile.TemporaryDirectory() as folder, faulty(Path(folder)) as disk:
        work(Path(folder) / "run")
        return outcome(Path(folder) / "run"), disk.count


@contextmanager
def survived() -> Iterator[None]:
    try:
        yield
    except (OSError, Killed):
        return


@pytest.mark.parametrize("fault", ["fail", "short", "kill", "lost"])
def test_a_fault_at_every_operation(fault: Fault, tmp_path: Path) -> None:
    expected, operations = whole()
    assert operations > 75  # times four kinds of faults: at least 300
    for at in range(1, operations + 1):
        folder, Counts.learnt = tmp_path / f"{at}", 0
        with survived(), faulty(tmp_path, at, fault) as disk:
            work(folder / "run")
        assert disk.struck, at
        work(folder / "run")
        assert outcome(folder / "run") == expected, at
        assert Counts.learnt <= len(PHASES) * EPOCHS + 1, at  # at most one epoch was learnt again
        assert not list(folder.rglob("*.tmp")), at

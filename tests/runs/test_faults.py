"""Whatever goes wrong with the disk, at whatever operation: a run loses at most the epoch at work, and goes on to the same bits."""

import contextlib
import dataclasses
import functools
import io
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

import harmonium as hm
from harmonium import cli
from harmonium.files import read_tensors
from harmonium.learning import TrainingState
from harmonium.learning.loop.history_file import VALUES, unpacked
from harmonium.runs import Recipe, Run
from harmonium.runs.metrics_file import read_rows
from tests.faulty_disk import Disk, Fault, Killed, faulty

PHASES, EPOCHS = 3, 3
KIB = 1024


@dataclasses.dataclass(frozen=True)
class Phases(Recipe):
    """Some phases of learning, each on the hidden units of the one before."""

    name: ClassVar[str] = "phases"
    paper: ClassVar[str] = "mine"
    published: ClassVar[dict[str, str]] = {}

    phases: int = PHASES

    def run(self, run: Run) -> dict[str, Any]:
        data = torch.eye(6).repeat(5, 1)
        for number in range(self.phases):
            phase = f"phase {number}"
            rbm = hm.RBM(hm.Bernoulli(data.shape[1]), hm.Bernoulli(max(5 - number, 2)), seed=number)
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


def work(folder: Path, phases: int = PHASES) -> None:
    options = Phases(seed=1, threads=1, out=folder, phases=phases)
    run = Run.begin(options.name, options)
    try:
        options.run(run)
    finally:
        run.release()


def outcome(folder: Path) -> dict[str, Any]:
    """What a finished run leaves: every tensor, every figure but the seconds."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "checkpoints").glob("*.safetensors")):
        phase, (tensors, header) = path.stem, read_tensors(path)
        found |= {f"{phase} {name}": tensor.tolist() for name, tensor in tensors.items() if name != VALUES}
        history = unpacked(tensors, header["history"])
        found[phase] = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in read_rows(folder / "metrics.jsonl")]
    return {**found, "rows": rows, "metrics": Run.open(folder).results()["metrics"]}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_sessions(monkeypatch)


def quick_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which commit and machine a session has is found out once a session, by other programs: a thousand sessions leave that out."""
    monkeypatch.setattr("harmonium.runs.folder.commit", lambda: "here")
    monkeypatch.setattr("harmonium.runs.folder.machine", lambda device: "this")
    monkeypatch.setattr("harmonium.cli.answer", lambda words: None)  # the register has no such recipe
    monkeypatch.setattr("harmonium.commands.find", lambda name: Phases)


@functools.cache
def whole(phases: int = PHASES) -> tuple[dict[str, Any], Disk]:
    """The outcome of a run that nothing happens to, and its disk, with the numbers of operations and of bytes."""
    with tempfile.TemporaryDirectory() as folder, faulty(Path(folder)) as disk:
        work(Path(folder) / "run", phases)
        return outcome(Path(folder) / "run"), disk


@contextlib.contextmanager
def survived() -> Iterator[None]:
    try:
        yield
    except (OSError, Killed):
        return


def strike(root: Path, fault: Fault, at: int, again: int = 0, phases: int = PHASES) -> None:
    """A run with a fault at one operation, gone on with, where one more may come, until it is done: it has the bits of one without."""
    whole(phases)  # which learns, too, the first time
    folder, Counts.learnt = root / f"{at}-{again}", 0
    with survived(), faulty(root, at, fault) as disk:
        work(folder / "run", phases)
    assert disk.struck, at
    if again:
        with survived(), faulty(root, again, fault):
            work(folder / "run", phases)
    with faulty(root):  # where nothing goes wrong
        work(folder / "run", phases)
    check(folder, phases, 1 + (again > 0))


def check(folder: Path, phases: int, faults: int) -> None:
    """A run that was gone on with after so many faults has the bits of one without. It lost an epoch of learning for each, at most."""
    assert outcome(folder / "run") == whole(phases)[0], folder
    assert Counts.learnt <= phases * EPOCHS + faults, folder
    assert not list(folder.rglob("*.tmp")), folder
    shutil.rmtree(folder)


def fill(root: Path, room: int, phases: int = PHASES) -> None:
    """A run by the command line that finds room for so many bytes: one line, and the same bits once there is more."""
    whole(phases)
    folder, Counts.learnt = root / f"{room}", 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", ["harmonium", "run", "phases", "--seed", "1", "--threads", "1", "--phases", str(phases)])
        sys.argv += ["--out", str(folder / "run")]
        with faulty(root, room=room) as disk, pytest.raises(SystemExit) as ended:
            cli.main()
        assert disk.struck, room
        said = re.escape(f"harmonium: {folder / 'run'}") + r"\S*: No space left on device \([\d,]+ bytes are free\)"
        assert re.fullmatch(said, str(ended.value.code)), ended.value.code  # a text: it is printed, and the exit code is 1
        cli.main()
    check(folder, phases, 1)


def rooms(phases: int = PHASES) -> range:
    """Every KiB of what a run writes."""
    return range(0, whole(phases)[1].written, KIB)


@pytest.mark.parametrize("fault", ["fail", "short", "kill", "lost"])
def test_a_fault_at_every_operation(fault: Fault, tmp_path: Path) -> None:
    operations = whole()[1].count
    assert operations > 75  # times four kinds of faults: at least 300
    for at in range(1, operations + 1):
        strike(tmp_path, fault, at)


def test_a_disk_that_stays_full(tmp_path: Path) -> None:
    for at in range(1, whole()[1].count + 1, 7):
        strike(tmp_path, "full", at)


def test_a_disk_with_room_for_so_many_kib(tmp_path: Path) -> None:
    assert len(rooms()) > 30
    for room in rooms()[::5]:
        fill(tmp_path, room)


def test_faults_that_come_twice(tmp_path: Path) -> None:
    chance, operations = random.Random(0), whole()[1].count
    for fault in ("fail", "short", "kill", "lost"):
        for _ in range(3):
            strike(tmp_path, fault, chance.randint(1, operations), chance.randint(1, operations // 2))

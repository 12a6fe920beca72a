"""One process learns in a folder at a time; readers, and what killed processes left, are in nobody's way."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from harmonium import files
from harmonium.files import sweep, write_atomically
from harmonium.runs import Options, Run
from harmonium.runs.folder import CHECKPOINTS
from tests.forked import CONTEXT


def begun(folder: Path) -> Run:
    return Run.begin("mine", Options(seed=1, threads=1, out=folder))


def hold(folder: str, ready: str) -> None:
    """Learns there until it is killed."""
    run = begun(Path(folder))
    (run.folder / CHECKPOINTS / ".layer.safetensors.0123.tmp").write_text("half a check")
    Path(ready).touch()
    time.sleep(60)


def test_another_process_waits_its_turn_and_a_dead_one_holds_nobody_up(tmp_path: Path) -> None:
    folder, ready = tmp_path / "run", tmp_path / "ready"
    process = CONTEXT.Process(target=hold, args=(str(folder), str(ready)))
    process.start()
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    sessions = len(Run.open(folder).sessions)
    with pytest.raises(BlockingIOError, match=f"another process is learning in {folder}: wait"):
        begun(folder)
    assert len(Run.open(folder).sessions) == sessions == 1  # readers need no lock
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    run = begun(folder)
    assert len(run.sessions) == 2
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no locks there")
def test_what_another_process_is_writing_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report needs no lock: a run that begins while one is written clears away what the dead left, and not that."""
    (tmp_path / "run").mkdir()
    real, left = os.replace, tmp_path / "run" / ".report.html.00.tmp"

    def begin_first(source: Path, target: Path) -> None:
        sweep(tmp_path / "run")
        real(source, target)

    left.write_text("<p>half a rep")
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", begin_first)
        write_atomically(tmp_path / "run" / "report.html", b"<p>all of it</p>")
    assert (tmp_path / "run" / "report.html").read_text() == "<p>all of it</p>"
    assert left.exists()
    sweep(tmp_path / "run")
    assert not left.exists()


def test_released_and_begun_again_in_one_process(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    with pytest.raises(BlockingIOError, match="another process"):
        begun(tmp_path / "run")
    run.release()
    begun(tmp_path / "run").release()


def test_a_begin_that_was_killed_before_its_configuration_begins_again(tmp_path: Path) -> None:
    (tmp_path / "run" / CHECKPOINTS).mkdir(parents=True)
    (tmp_path / "run" / ".config.json.00.tmp").write_text("{")
    begun(tmp_path / "run").release()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="is not empty and holds no run"):
        begun(tmp_path / "other")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        begun(tmp_path / "file")


def test_a_folder_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    os.rename(run.folder, tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        run.write("results.json", {})
    with pytest.raises(FileNotFoundError, match="deleted or moved"):
        run.check_there()

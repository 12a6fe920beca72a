"""For every command, value and folder: exit 0, or 1 or 2 with one line; never a traceback."""

import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harmonium import cli

VALUES = [None, 0, -1, 1, 2**70, 1e300, float("nan"), float("inf"), "", "x", [], {}, [1], True, "../..", 0.5, ["a"], {"a": 1}]
COMMANDS = {"resume": [], "report": [], "sample": ["--steps", "2"], "evaluate": ["--betas", "5", "--sweeps", "2", "--chains", "3"]}


def said(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """What a command ends with: None, or the one line. Anything else that it raises is a fault."""
    monkeypatch.setattr(sys, "argv", ["harmonium", *words])
    monkeypatch.setenv(cli.TRACEBACK, "1")
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code
    return None


def places(value: Any, name: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The name of everything in a configuration."""
    if name:
        yield name
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(each, (*name, key))


def test_any_configuration(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    chance, told = random.Random(0), set()
    for number in range(25):
        content = copy.deepcopy(json.loads((finished / "config.json").read_text()))
        *way, last = chance.choice(list(places(content)))
        at = content
        for key in way:
            at = at[key]
        at[last] = chance.choice(VALUES)
        folder = shutil.copytree(finished, tmp_path / str(number))
        (folder / "config.json").write_text(json.dumps(content))
        command = chance.choice(list(COMMANDS))
        code = said(monkeypatch, command, str(folder), *COMMANDS[command])
        assert code is None or (isinstance(code, str) and "\n" not in code), (command, way, last, code)
        told.add(str(code)[:40])
    assert len(told) > 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--threads", "1000000"), "at most 1024 threads"),
        (("--threads", "0"), "at least one thread"),
        (("--layers.scale", "-1"), r"--layers\.scale takes numbers from 0"),
        (("--layers.learning-rate", "nan"), r"--layers\.learning-rate takes numbers from 0"),
        (("--layers.learning-rate", "inf"), r"--layers\.learning-rate takes numbers from 0"),
        (("--seed", "-1"), "--seed takes numbers from 0"),
        (("--seed", str(2**80)), "--seed takes numbers from 0"),
        (("--out", "n" * 300), "File name too long"),
        (("--out", __file__), "is a file"),
        (("--out", "/proc/nowhere"), "/proc/nowhere"),
        (("--data-dir", "/nowhere"), ""),
    ],
)
def test_any_option(words: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("resource")
    code = said(monkeypatch, "run", "mnist-rbm" if words[0] == "--data-dir" else "digits", "--smoke", *words)
    assert isinstance(code, str | int | None)
    if expected:
        import re

        assert re.search(expected, str(code)) or code == 2
        assert "\n" not in str(code)


def test_a_folder_named_like_markup(
    finished: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, "a[/x]")
    Path("a[/x]", "results.json").unlink()  # it is judged and drawn again
    assert said(monkeypatch, "run", "digits", "--smoke", "--threads", "1", "--out", "a[/x]") is None
    assert "Pictures: a[/x]/report.html" in capsys.readouterr().out


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs the device that is always full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    from harmonium import files

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_write_new", lambda path, content: Path("/dev/full").write_bytes(content))
        with pytest.raises(OSError, match=r"No space left on device \([\d,]+ bytes are free\)") as caught:
            files.write_atomically(tmp_path / "model", b"x" * 10)
    assert caught.value.filename == str(tmp_path / "model")


@pytest.mark.parametrize("presses", [1, 20])
@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.2])
def test_ctrl_c_from_the_start_on(presses: int, seconds: float, tmp_path: Path) -> None:
    """Once the interpreter has begun the program: no traceback, and exit 1, or 130 of the interpreter itself."""
    begins = "import sys; print(flush=True); sys.argv[0] = 'harmonium'; from harmonium.cli import main; main()"
    words = ["run", "digits", "--threads", "1", "--out", str(tmp_path / "run")]
    process = subprocess.Popen([sys.executable, "-c", begins, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds + 0.3)
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, words_said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in words_said
    assert words_said.splitlines()[-1].startswith("Stopped")

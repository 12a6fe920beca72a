"""Recipes run one after the other until the time is used up: see `gpu`."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import harmonium as hm

NEEDED = ("tyro", "rich", "jinja2")  # by the command line, its tables and the reports
GRACE = 30.0  # seconds in which an interrupted run writes its checkpoint


def parsed(word: str) -> tuple[str, int]:
    """NAME or NAME:SEED, the seed 0 by default."""
    name, _, seed = word.partition(":")
    if not name or (seed and not seed.isdecimal()):
        raise ValueError(f"expected NAME or NAME:SEED, found {word!r}")
    return name, int(seed or 0)


def lacking() -> str | None:
    """Why no recipe can run here, in a sentence; None where they can."""
    missing = []
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    return f"The recipes were skipped, because they need {', '.join(missing)}, which this Python does not have." if missing else None


def command(name: str, seed: int, device: str) -> list[str]:
    """How a recipe is run and recorded, by the command line of the package."""
    words = [sys.executable, "-m", "harmonium.cli", "run", name, "--seed", str(seed), "--device", device]
    return [*words, "--record", "--out", str(Path("runs") / f"{name}-{seed}")]


def environment() -> dict[str, str]:
    """This process's, in which the package is found from any folder, and so are the data."""
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(hm.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    if data := os.environ.get("HARMONIUM_DATA"):
        found["HARMONIUM_DATA"] = str(Path(data).absolute())
    return found


def recorded(folder: Path, name: str, seed: int) -> bool:
    """Whether the folder's records have this seed."""
    path = folder / "results" / f"{name}.json"
    return path.exists() and any(seed in record["seeds"] for record in json.loads(path.read_text())["records"])


def one(folder: Path, name: str, seed: int, device: str, deadline: float) -> dict[str, Any]:
    """Runs one recipe in the folder, up to the deadline. A run that is cut short resumes when the same queue is asked for again."""
    began = time.monotonic()
    running = subprocess.Popen(command(name, seed, device), cwd=folder, env=environment(), start_new_session=True)
    try:
        running.wait(max(deadline - began, 0))
        outcome = "done" if running.returncode == 0 else "failed"
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)
        outcome = "cut short"
    finally:
        try:
            running.wait(GRACE)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
    return {"recipe": name, "seed": seed, "outcome": outcome, "seconds": round(time.monotonic() - began, 1), "code": running.returncode}


def work_through(queue: list[tuple[str, int]], folder: Path, device: str, minutes: float) -> list[dict[str, Any]]:
    """Each recipe's outcome. Records lie in `folder`/results, as `harmonium record merge` takes them in; runs in `folder`/runs."""
    deadline, found = time.monotonic() + 60 * minutes, []
    for folder_of in ("runs", "results"):
        (folder / folder_of).mkdir(parents=True, exist_ok=True)
    for name, seed in queue:
        entry: dict[str, Any] = {"recipe": name, "seed": seed}
        if recorded(folder, name, seed):
            found.append({**entry, "outcome": "recorded before"})
        elif time.monotonic() >= deadline:
            found.append({**entry, "outcome": "no time left"})
        else:
            found.append(one(folder, name, seed, device, deadline))
        print(f"{name}, seed {seed}: {found[-1]['outcome']}", file=sys.stderr, flush=True)
    return found

"""Looks after a campaign: what it printed, and the input that was at work when its process died or hung."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """How many inputs were tried, or how much of another test was done, and a line for each kind of failure."""

    count: int
    failures: list[str]


def guarded(inputs: int, seed: int, parsers: Sequence[str] = (), *, seconds: float = 600) -> Outcome:
    """A campaign in a process of its own. Its death is a failure too, and the input that it died of goes to the corpus."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "tests.soak.campaign", name, "--inputs", str(inputs), "--seed", str(seed)]
        command += ["--parsers", *parsers] if parsers else []
        environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")}
        try:
            process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds)
            said, ended = process.stdout.splitlines(), f"exit code {process.returncode}: {process.stderr[-400:]}"
            if process.returncode == 0:
                counted = re.fullmatch(r"(\d+) inputs, \d+ failures", said[-1])
                return Outcome(int(counted[1]) if counted else 0, said[:-1])
        except subprocess.TimeoutExpired as late:
            said, ended = (late.stdout or b"").decode().splitlines(), f"no end within {seconds:g} seconds"
        from tests.soak.campaign import keep  # here: this process needs none of what a campaign imports, until one dies
        from tests.soak.parsers import PARSERS

        left = [path for each, parser in PARSERS.items() if (path := Path(name) / each / parser.name).is_file()]
        return Outcome(0, [*said, *(f"{keep(path.parent.name, path.read_bytes())}: {ended}" for path in left), ended])

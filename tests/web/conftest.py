"""A run of the digits that is learning, and servers of its page."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harmonium.recipes import Digits
from harmonium.recipes.digits.recipe import learn_labels
from harmonium.recipes.shared.stack import learn
from harmonium.runs import Run
from tests.report.conftest import browser

__all__ = ["browser"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a smoke run that has learnt its layers, and holds its lock: it is learning still."""
    folder = tmp_path_factory.mktemp("watch") / "digits"
    options = Digits(smoke=True, threads=1, out=folder)
    run = Run.begin("digits", options)
    plan, (_, cases) = options.plan(), options.cases()
    stack = learn(run, cases, plan.layers, plan.seed)
    learn_labels(run, plan, options.how_labelled(), cases, stack)
    yield folder
    run.release()


@pytest.fixture
def watch(folder: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts a server, and tells its address."""
    started = []

    def begun(watched: Path = folder) -> tuple[subprocess.Popen[str], str]:
        words = [sys.executable, "-m", "harmonium.cli", "watch", str(watched), "--port", "0"]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        started.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/$", said.strip())
        assert found, said
        return process, found[0]

    yield begun
    for process in started:
        process.kill()
        process.communicate()

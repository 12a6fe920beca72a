"""A step of `hm.fit` of the working tree beside that of a commit, in one run: `python benchmarks/rbm_step.py --against COMMIT`.

The commit is checked out into a temporary worktree. Each side is a process that imports harmonium from its own `src`, and both are
measured by the code of this folder, one after the other in each round, so that the machine's moods meet both. The ratio is taken inside a
round: below 1 the working tree is faster. Its quartiles say how much of it is noise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from machine import markdown_table, where
from rounds import Worker, all_kernels, in_rounds

if TYPE_CHECKING:
    from rbm_step import Arguments

ROOT = Path(__file__).parents[1]
HERE = "working tree"


def git(*arguments: str) -> str:
    """What git says of this repository. ValueError with its own words where it refuses."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"`git {' '.join(arguments)}` failed in {ROOT}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder that holds the commit, while it is wanted."""
    with TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


@contextmanager
def measured(tree: Path, name: str, batch: int, args: Arguments) -> Iterator[Worker]:
    """A process that imports harmonium from this tree, warm and asleep."""
    pipe, theirs = Pipe()
    path = os.pathsep.join([str(tree / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, __file__, str(theirs.fileno())]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, pass_fds=[theirs.fileno()])
    theirs.close()
    try:
        pipe.send((batch, asdict(args)))
        package = Path(pipe.recv())
        if not package.is_relative_to(tree / "src"):
            raise RuntimeError(f"the process of the {name} imported harmonium from {package}, expected {tree / 'src'}")
        _, _, blas = pipe.recv()
        yield Worker(name, True, blas, pipe)
    finally:
        pipe.close()  # which ends a process that waits for its turn
        process.wait()


def results(args: Arguments, console: Console) -> dict[str, Any]:
    """Milliseconds a step of both, by batch size, and their ratio."""
    commit = git("rev-parse", "--verify", f"{args.against}^{{commit}}")
    there, rows = f"commit {commit[:7]}", {}
    with checked_out(commit) as tree:
        for batch in args.batches:
            try:
                with measured(tree, there, batch, args) as theirs, measured(ROOT, HERE, batch, args) as ours:
                    times = in_rounds([theirs, ours], f"batch {batch}", args.rounds, console)
            except EOFError:
                why = "as it says above; a commit may lack what benchmarks/ours.py calls"
                raise RuntimeError(f"the process of the {HERE} or of {there} failed, {why}") from None
            ratio = quartiles(np.array(times[HERE]) / times[there])
            rows[str(batch)] = {"values_ms": times, "blas": all_kernels([theirs.blas, ours.blas]), "ratio": ratio}
    changed = bool(git("status", "--porcelain", "--untracked-files=no", "src"))
    return {"against": commit, "commit": git("rev-parse", "HEAD") + ("-changed" if changed else ""), "batches": rows}


def quartiles(values: Any) -> list[float]:
    return np.percentile(values, [25, 50, 75]).tolist()


def markdown(record: dict[str, Any]) -> str:
    """A table, and what it was measured with."""
    lines = []
    for batch, found in record["batches"].items():
        for name, values in found["values_ms"].items():
            lower, median, upper = quartiles(values)
            low, middle, high = found["ratio"]
            beside = f"{middle:.3f} ({low:.3f}-{high:.3f})" if name == HERE else ""
            lines.append([f"batch {batch}: {name}", f"{median:.3f}", f"{lower:.3f}-{upper:.3f}", beside])
    table = markdown_table(["a step of hm.fit", "ms", "quartiles", "times the commit's (quartiles)"], lines)
    blas = "; ".join(all_kernels(found["blas"] for found in record["batches"].values()))
    settings = record["settings"]
    measured_with = f"Medians of {settings['rounds']} rounds, {settings['rows']:,} cases an epoch; working tree at {record['commit']}"
    return "\n".join([*table, "", f"{where(record['machine'])}. BLAS: {blas}.", f"{measured_with}; `{record['command']}`."])


def serve_one(pipe: Connection) -> None:
    """What either process does: says whose package it has, and measures."""
    import harmonium
    import rbm_step

    batch, settings = pipe.recv()
    pipe.send(harmonium.__file__)
    rbm_step.work(pipe, "fit", batch, rbm_step.Arguments(**settings))


if __name__ == "__main__":
    serve_one(Connection(int(sys.argv[1])))

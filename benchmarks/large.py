"""The cost of an update, the memory and the time to the first update against the number of rows, of a memory map and of sparse data.

    python benchmarks/large.py --json large.json
    python benchmarks/large.py --smoke                            # a quick look

Each line is measured in a process of its own: memory that another line took would show. The rows of a map are zeros and ones as uint8,
written to a temporary file a block at a time and not read before learning begins; the sparse rows are of the same size, a row in CSR
format with `--ones` ones. Learning is `hm.fit` with CD-1 for `--updates` updates, which visit rows at random places of all the data.

The figures:
- first: seconds from the call of `hm.fit` to the first update: the checks, the base rates, the sample for the metrics and the order.
- ms an update: of the updates after that, what is computed once an epoch left out; the bar is that none is dearer than 1.5 times that of
  the fewest rows.
- memory: the most anonymous memory (RssAnon of /proc/self/status, Linux only) that learning takes beyond that before it, in MiB. Pages of
  the map itself are the operating system's, which takes them back. For sparse data the matrix lies in memory before learning begins.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import torch
import tyro
from numpy.lib.format import open_memmap
from rich.console import Console
from rich.table import Table

import harmonium as hm
from fresh_processes import fresh
from machine import as_users_run, load_average, machine, write

BLOCK = 2**16
BAR = 1.5  # times the fewest rows' cost of an update, at most
LOOKS = 20  # updates between two looks at the memory


@dataclass(frozen=True)
class Arguments:
    """Measures learning from more and more rows."""

    rows: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    """Numbers of rows, the fewest first."""
    units: tuple[int, int] = (64, 100)
    """Visible and hidden units."""
    ones: int = 8
    """Of a sparse row."""
    batch: int = 100
    """Cases in a batch."""
    updates: int = 2000
    """Updates of one measurement."""
    rounds: int = 3
    """How often each line is measured; medians are shown."""
    folder: Path | None = None
    """Where the temporary file is, by default where the system has them."""
    json: Path | None = None
    """A file to write the figures to."""
    smoke: bool = False
    """Few rows and updates, to see that it runs."""

    def __post_init__(self) -> None:
        if min(*self.rows, *self.units, self.ones, self.batch, self.updates, self.rounds) < 1 or self.ones > self.units[0]:
            raise ValueError(f"expected at least one of everything, and no more ones than units, found {self}")


def anonymous() -> float:
    """MiB of this process's own memory, files that it maps left out; NaN where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), float("nan"))


class Watch(hm.Callback):
    """The time of the first update and of those after it, and the most memory."""

    def __init__(self, updates: int) -> None:
        self.updates, self.before, self.began = updates, anonymous(), time.perf_counter()
        self.most, self.spent, self.counted, self.last = 0.0, 0.0, 0, 0.0

    def on_step(self, state: hm.TrainingState) -> None:
        now = time.perf_counter()
        if state.step == 1:
            self.first = now - self.began
        if state.batch > 1 and state.step > self.updates // 4:  # after another update of the same epoch, and warm
            self.spent, self.counted = self.spent + now - self.last, self.counted + 1
        if state.step % LOOKS == 0:
            self.most = max(self.most, anonymous())
        self.last = time.perf_counter()
        if state.step >= self.updates:
            self.ms = 1e3 * self.spent / self.counted
            raise StopIteration


def mapped(rows: int, args: Arguments, folder: Path) -> np.ndarray:
    """A map of a new file of zeros and ones."""
    path, block = folder / f"{rows}.npy", np.random.default_rng(0).integers(0, 2, (BLOCK, args.units[0]), np.uint8)
    if not path.exists():
        written = open_memmap(path, "w+", np.uint8, (rows, args.units[0]))
        for start in range(0, rows, BLOCK):
            written[start : start + BLOCK] = block[: rows - start]
        written.flush()
        del written
    found: np.ndarray = np.load(path, mmap_mode="r")
    return found


def sparse(rows: int, args: Arguments, folder: Path) -> Any:
    """A CSR matrix with as many ones in every row."""
    first = np.random.default_rng(0).integers(0, args.units[0] - args.ones + 1, rows, np.int32)
    columns = (first[:, None] + np.arange(args.ones, dtype=np.int32)).ravel()
    places = np.arange(0, rows * args.ones + 1, args.ones, dtype=np.int64)
    return scipy.sparse.csr_array((np.ones(len(columns), np.uint8), columns, places), shape=(rows, args.units[0]))


KINDS: dict[str, Callable[[int, Arguments, Path], Any]] = {"memory map": mapped, "sparse": sparse}


def measure(pipe: Any, kind: str, rows: int, args: Arguments, folder: Path) -> None:
    """In a process of its own: learns, and sends the figures."""
    torch.set_num_threads(1)
    data = KINDS[kind](rows, args, folder)
    learn(data, replace(args, updates=5))  # what the first learning of a process allocates for good
    watch = Watch(args.updates)
    learn(data, args, watch)
    pipe.send({"first_s": watch.first, "ms": watch.ms, "memory_mib": max(watch.most - watch.before, 0.0)})


def learn(data: Any, args: Arguments, watch: Watch | None = None) -> None:
    rbm = hm.RBM(hm.Bernoulli(args.units[0]), hm.Bernoulli(args.units[1]))
    callbacks, steady = [Watch(args.updates) if watch is None else watch], partial(hm.MomentumSGD, lr=0.01, momentum=0.9)
    try:
        hm.fit(rbm, data, batch_size=args.batch, epochs=args.updates, optimizer=steady, callbacks=callbacks, progress=False)
    except StopIteration:
        return


def line(kind: str, rows: int, args: Arguments, folder: Path) -> dict[str, Any]:
    """The medians of several processes."""
    found = []
    for _ in range(args.rounds):
        pipe, theirs = fresh().Pipe()
        process = fresh().Process(target=measure, args=(theirs, kind, rows, args, folder))
        process.start()
        theirs.close()
        found.append(pipe.recv())
        process.join()
    medians = {name: float(np.median([one[name] for one in found])) for name in found[0]}
    return {"kind": kind, "rows": rows, **medians, "values": found}


def main(args: Arguments) -> None:
    if args.smoke:
        args = replace(args, rows=(200, 2000), updates=20, rounds=1, batch=10)
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy, lines = load_average(console), []
    for kind in KINDS:
        for rows in args.rows:
            with tempfile.TemporaryDirectory(dir=args.folder) as folder, console.status(f"{kind} of {rows:,} rows"):
                lines.append(line(kind, rows, args, Path(folder)))
    table = Table(title=f"{args.units[0]} x {args.units[1]} units, CD-1, batches of {args.batch}, one thread")
    for heading in ("", "rows", "first, s", "ms an update", "times the fewest rows", "memory, MiB"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for each in lines:
        fewest = next(other for other in lines if other["kind"] == each["kind"])
        each |= {"times_fewest": each["ms"] / fewest["ms"], "holds": each["ms"] <= BAR * fewest["ms"]}
        times, memory = f"{each['times_fewest']:.2f} (at most {BAR})", f"{each['memory_mib']:.1f}"
        table.add_row(each["kind"], f"{each['rows']:,}", f"{each['first_s']:.2f}", f"{each['ms']:.3f}", times, memory)
    console.print(table)
    on = {**machine(), "load_average_before": busy}
    console.print(f"Medians of {args.rounds} processes of {args.updates} updates. Machine: {on}")
    if args.json is not None:
        settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(args).items() if name != "json"}
        write(args.json, {"settings": settings, "machine": on, "lines": lines})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

"""The throughput of several processes that learn one RBM together, beside that of one, at equal global batch, on the CPU.

    python benchmarks/processes.py --json processes.json
    python benchmarks/processes.py --batches 200 --rounds 2 --repeats 2 --units 20 10      # a quick look

Every process has one thread. The processes live as long as the benchmark, and those that are not measured sleep. Each round measures every
line once, in an order that rotates from round to round; a ratio is taken inside a round, and its median shown.

The lines, for each batch:
- one process: an epoch of `hm.fit` divided by its updates: CD-1, fused SGD with momentum 0.9, random uint8 rows.
- N processes: the same in N processes, which share each batch and add up their gradients (gloo).
- N processes, apart: what N processes do that each learn a machine of their own from batches of an N-th, at the same time: the ceiling,
  which the cores and their memory leave.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

import harmonium as hm
from fresh_processes import fresh
from harmonium.processes import join_processes
from machine import as_users_run, load_average, machine, write
from ours import Clock

BAR, AT = 1.8, 2000  # times the throughput of one process, at least, by two, at this batch


@dataclass(frozen=True)
class Arguments:
    """Times an update of several processes beside one process's."""

    processes: int = 2
    """How many share the work."""
    batches: tuple[int, ...] = (200, 2000)
    """Global batches."""
    units: tuple[int, int] = (784, 500)
    """Visible and hidden units."""
    repeats: int = 30
    """Updates in one measurement."""
    rounds: int = 7
    """How often each line is measured."""
    json: Path | None = None
    """A file to write the figures to."""

    def __post_init__(self) -> None:
        if min(*self.batches, *self.units, self.repeats, self.rounds) < 1 or self.processes < 2:
            raise ValueError(f"expected at least one of everything, and two processes, found {self}")


def learn(batch: int, args: Arguments) -> float:
    """Milliseconds an update."""
    visible, hidden = args.units
    rows = torch.randint(256, (batch * args.repeats, visible), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rbm, clock = hm.RBM(hm.Bernoulli(visible, values="probabilities"), hm.Bernoulli(hidden)), Clock()
    optimizer = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)
    hm.fit(rbm, rows, batch_size=batch, epochs=1, optimizer=optimizer, callbacks=[clock], progress=False)
    return 1e3 * clock.seconds / args.repeats


def work(pipe: Connection, rank: int, port: int, args: Arguments) -> None:
    """A process of a group, or alone where there is no port: measures the batch that it is sent, until it is sent none."""
    torch.set_num_threads(1)
    if port:
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(args.processes), **address}
        join_processes(torch.device("cpu"))
    while batch := pipe.recv():
        pipe.send(learn(batch, args))


def start(count: int, port: int, args: Arguments) -> list[Connection]:
    """Processes that sleep until they are sent a batch."""
    pipes = []
    for rank in range(count):
        pipe, theirs = fresh().Pipe()
        fresh().Process(target=work, args=(theirs, rank, port, args), daemon=True).start()
        pipes.append(pipe)
    return pipes


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def measured(pipes: list[Connection], batch: int) -> float:
    """The slowest process's milliseconds an update."""
    for pipe in pipes:
        pipe.send(batch)
    return max(pipe.recv() for pipe in pipes)


def rows_of(batch: int, args: Arguments, groups: dict[str, list[Connection]], console: Console) -> Iterator[dict[str, Any]]:
    """One line for each group of processes."""
    names, times = list(groups), {name: [] for name in groups}
    sizes = {name: batch // args.processes if "apart" in name else batch for name in names}
    for turn in range(args.rounds + 1):  # the first one warms up
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            with console.status(f"batch {batch}, round {turn} of {args.rounds}: {name}"):
                found = measured(groups[name], sizes[name])
            if turn:
                times[name].append(found)
    alone = np.array(times["one process"])
    for name, found in times.items():
        ratio = float(np.median(alone / found))
        row = {"batch": batch, "line": name, "median_ms": float(np.median(found)), "values_ms": found, "times_one_process": ratio}
        if batch == AT and name == "2 processes":
            row |= {"bar": BAR, "holds": ratio >= BAR}
        yield row


def main(args: Arguments) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    one, together = start(1, 0, args), start(args.processes, free_port(), args)
    apart = start(args.processes, 0, args)
    groups = {"one process": one, f"{args.processes} processes": together, f"{args.processes} processes, apart": apart}
    rows = [row for batch in args.batches for row in rows_of(batch, args, groups, console)]
    for pipe in (*one, *together, *apart):
        pipe.send(0)
    table = Table(title=f"{args.units[0]} x {args.units[1]} units, CD-1, one thread a process")
    table.add_column("batch", justify="right")
    table.add_column("", no_wrap=True)
    for heading in ("ms an update", "times one process"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        bar = f" (at least {row['bar']})" if "bar" in row else ""
        table.add_row(f"{row['batch']:,}", row["line"], f"{row['median_ms']:.2f}", f"{row['times_one_process']:.2f}{bar}")
    console.print(table)
    on = {**machine(), "load_average_before": busy}
    console.print(f"Random uint8, {args.repeats} updates an epoch; medians of {args.rounds} rounds. Machine: {on}")
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name != "json"}
        write(args.json, {"settings": settings, "machine": on, "lines": rows})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

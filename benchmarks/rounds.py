"""Contenders in processes of their own, measured in rounds: what the benchmarks that have peers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from fresh_processes import fresh
from machine import kernels

SPAWN = get_context("spawn")
NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Worker:
    """A contender in a process of its own."""

    name: str
    peer: bool
    blas: list[str]
    """The kernels of that process, and their threads."""
    pipe: Connection


def serve(pipe: Connection, name: str, peer: bool, measure: Callable[[], float]) -> None:
    """What a contender's process does once it is warm: says who it is, then measures whenever it is asked to, until told to end."""
    pipe.send((name, peer, kernels()))
    while pipe.recv():
        pipe.send(measure())


def versions(peers: Iterable[str]) -> dict[str, str]:
    """Each distribution's version, or that it is not installed."""
    found = {}
    for name in peers:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = NOT_INSTALLED
    return found


def start(work: Callable[..., None], keys: Iterable[str], *given: Any) -> list[Worker]:
    """Processes of `work(pipe, key, *given)`, warm and asleep."""
    running = []
    for key in keys:
        pipe, theirs = fresh().Pipe()
        fresh().Process(target=work, args=(theirs, key, *given), daemon=True).start()
        theirs.close()
        running.append(Worker(*pipe.recv(), pipe))
    return running


def in_rounds(running: list[Worker], title: str, rounds: int, console: Console) -> dict[str, list[float]]:
    """Milliseconds an update: one value a round for each contender, in an order that rotates from round to round."""
    times: dict[str, list[float]] = {worker.name: [] for worker in running}
    for turn in range(rounds):
        first = turn % len(running)
        for worker in running[first:] + running[:first]:
            with console.status(f"{title}, round {turn + 1} of {rounds}: {worker.name}"):
                worker.pipe.send(True)
                times[worker.name].append(worker.pipe.recv())
    for worker in running:
        worker.pipe.send(False)
    return times


def all_kernels(running: Iterable[list[str]]) -> list[str]:
    """Every kernel that one of the processes had, in the order in which they come."""
    return list(dict.fromkeys(kernel for blas in running for kernel in blas))


def turn_about(running: dict[str, Callable[[], float]], rounds: int, console: Console) -> dict[str, list[float]]:
    """One value a round for each, measured in an order that rotates from round to round."""
    times: dict[str, list[float]] = {name: [] for name in running}
    names = list(running)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            with console.status(f"round {turn + 1} of {rounds}: {name}"):
                times[name].append(running[name]())
    return times


def beside_floors(times: dict[str, list[float]], floor_of: Callable[[str], str], bars: dict[str, float]) -> list[dict[str, Any]]:
    """One row a line, each with its ratio to its own floor, of values of the same round, and with what is allowed, if `bars` says it."""
    rows = []
    for name, found in times.items():
        lower, median, upper = np.percentile(found, [25, 50, 75]).tolist()
        row: dict[str, Any] = {"contender": name, "median_ms": median, "quartiles_ms": [lower, upper], "values_ms": found}
        row["ratio_to_floor"] = float(np.median(np.array(found) / np.array(times[floor_of(name)])))
        if name in bars:
            row |= {"bar": bars[name], "holds": row["ratio_to_floor"] <= bars[name]}
        rows.append(row)
    return rows


def floors_table(rows: list[dict[str, Any]], title: str) -> Table:
    """The rows of `beside_floors`, to be printed."""
    table = Table(title=title)
    table.add_column("", no_wrap=True)
    for heading in ("ms an update", "quartiles", "times products"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        lower, upper = row["quartiles_ms"]
        bar = f" (at most {row['bar']})" if "bar" in row else ""
        table.add_row(row["contender"], f"{row['median_ms']:.2f}", f"{lower:.2f}-{upper:.2f}", f"{row['ratio_to_floor']:.2f}{bar}")
    return table

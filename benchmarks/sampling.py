"""The time of one draw from each kind of unit, given its input, beside a `torch.rand` of the same shape, in one run on the CPU.

    python benchmarks/sampling.py --json sampling.json
    python benchmarks/sampling.py --from-json sampling.json       # the tables of docs/benchmarks.md
    python benchmarks/sampling.py --rounds 3 --repeats 5          # a quick look

Inputs are drawn from N(0, 2²), (cases, 500) float32, with the units' own biases at zero (the exponential unit's rate at 20, which such
inputs stay below). Each round measures every line once, in an order that rotates from round to round, as the mean of `--repeats` draws
(a tenth of them for copies) after two that do not count. Each line gives the median over rounds of the microseconds a draw takes; a ratio
to `torch.rand` is taken inside a round, and its median over rounds is shown beside the most that we allow.

The second table is what a rectified unit costs against what it stands for (Nair & Hinton 2010): N logistic copies whose biases are offset
by -0.5, -1.5, ..., drawn one by one and added up.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor

import harmonium as hm
from machine import as_users_run, load_average, machine, markdown_table, where, write

UNITS, RAND = 500, "torch.rand"
RECTIFIED = ("NoisyReLU", "TruncatedGaussian", "SteppedSigmoid")
BARS = {
    "Bernoulli": 2,
    "Spin": 2,
    "Gaussian": 2,
    "NoisyReLU": 3,
    "Softmax, 10 categories": 6,
    "Exponential": 6,
    "TruncatedGaussian": 15,
    "Binomial, 10 copies": 15,
    "Poisson": 15,
    "SteppedSigmoid": 15,
}
"""The most that a draw may cost, in draws of `torch.rand`."""

Draw = Callable[[], Tensor]


@dataclass(frozen=True)
class Arguments:
    """Times a draw from each kind of unit beside torch.rand."""

    cases: tuple[int, ...] = (500, 100)
    """Cases of 500 units that are drawn at once."""
    copies: tuple[int, ...] = (10, 100)
    """Numbers of logistic copies that the rectified units are measured against."""
    rounds: int = 15
    """How often each line is measured."""
    repeats: int = 20
    """Draws in one measurement."""
    threads: int = 2
    """Threads of PyTorch."""
    json: Path | None = None
    """A file to write the figures to."""
    from_json: Path | None = None
    """A file of figures: print their tables as Markdown, and measure nothing."""

    def __post_init__(self) -> None:
        if not self.cases or min(self.rounds, self.repeats, self.threads, *self.cases, *self.copies) < 1:
            raise ValueError(f"expected at least one case, copy, round, repeat and thread, found {self}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def copies_name(copies: int) -> str:
    return f"{copies} logistic copies"


def draws(cases: int, copies: tuple[int, ...], generator: torch.Generator) -> dict[str, Draw]:
    """What is measured, by name: one draw of (cases, 500) each."""
    input = 2 * torch.randn(cases, UNITS, generator=generator)
    units: dict[str, hm.Unit] = {
        "Bernoulli": hm.Bernoulli(UNITS),
        "Spin": hm.Spin(UNITS),
        "Gaussian": hm.Gaussian(UNITS),
        "NoisyReLU": hm.NoisyReLU(UNITS),
        "Softmax, 10 categories": hm.Softmax(UNITS // 10, categories=10),
        "Exponential": hm.Exponential(UNITS, rate=20.0),
        "TruncatedGaussian": hm.TruncatedGaussian(UNITS),
        "Binomial, 10 copies": hm.Binomial(UNITS, copies=10),
        "Poisson": hm.Poisson(UNITS),
        "SteppedSigmoid": hm.SteppedSigmoid(UNITS),
    }
    made: dict[str, Draw] = {RAND: lambda: torch.rand(input.shape, generator=generator)}
    made |= {name: lambda unit=unit: unit.sample(input, generator=generator) for name, unit in units.items()}
    return made | {copies_name(n): lambda n=n: one_by_one(n, input, generator) for n in copies}


def one_by_one(copies: int, input: Tensor, generator: torch.Generator) -> Tensor:
    """How many of N logistic units with biases -0.5, -1.5, ... are on."""
    unit, on = hm.Bernoulli(UNITS), torch.zeros_like(input)
    for copy in range(copies):
        on += unit.sample(input - (copy + 0.5), generator=generator)
    return on


def measure(contenders: dict[str, Draw], args: Arguments, console: Console) -> dict[str, list[float]]:
    """Microseconds a draw: one value a round for each line."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(args.rounds):
        first = turn % len(names)
        with console.status(f"round {turn + 1} of {args.rounds}"):
            for name in names[first:] + names[:first]:
                draw = contenders[name]
                repeats = args.repeats if name == RAND or name in BARS else max(1, args.repeats // 10)
                draw(), draw()
                began = time.perf_counter()
                for _ in range(repeats):
                    draw()
                times[name].append(1e6 * (time.perf_counter() - began) / repeats)
    return times


def summary(times: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One row a line. Ratios are of values of the same round."""
    rows = []
    for name, values in times.items():
        taken = np.array(values)
        row: dict[str, Any] = {"draw": name, "median_us": float(np.median(taken)), "values_us": values}
        row["ratio_to_rand"] = float(np.median(taken / times[RAND]))
        if name in BARS:
            row |= {"bar": BARS[name], "holds": row["ratio_to_rand"] <= BARS[name]}
        if name not in BARS and name != RAND:
            row["ratio_to_rectified"] = {unit: float(np.median(taken / times[unit])) for unit in RECTIFIED}
        rows.append(row)
    return rows


def show(console: Console, cases: str, rows: list[dict[str, Any]]) -> None:
    """The tables of one shape."""
    title = f"one draw of {cases} x {UNITS}, float32"
    for headings, lines in (rand_table(rows), copies_table(rows)):
        table = Table(title=title)
        for place, heading in enumerate(headings):
            table.add_column(heading, justify="right" if place else "left", no_wrap=True)
        for line in lines:
            table.add_row(*line)
        console.print(table)


def rand_table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The headings and lines of what each draw costs."""
    lines = []
    for row in rows:
        bar = f"{row['bar']}{'' if row['holds'] else ' (exceeded)'}" if "bar" in row else ""
        lines.append([row["draw"], f"{row['median_us']:,.0f}", f"{row['ratio_to_rand']:.2f}", bar])
    return ["", "µs a draw", "times torch.rand", "at most"], lines


def copies_table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The headings and lines of what the copies cost against rectified units."""
    copies = [row for row in rows if "ratio_to_rectified" in row]
    lines = [[row["draw"], *(f"{row['ratio_to_rectified'][unit]:.1f}" for unit in RECTIFIED)] for row in copies]
    return ["times the cost of", *RECTIFIED], lines


def markdown(record: dict[str, Any]) -> str:
    """The tables of a file that `--json` wrote."""
    text = []
    for cases, rows in record["cases"].items():
        text.append(f"{cases} x {UNITS}:\n")
        for headings, lines in (rand_table(rows), copies_table(rows)):
            text += [*markdown_table(headings, lines), ""]
    on = record["machine"]
    text.append(f"{where(on)}. BLAS: {'; '.join(on['blas'])}. Medians of {record['settings']['rounds']} rounds.")
    return "\n".join(text)


def main(args: Arguments) -> None:
    if args.from_json is not None:
        print(markdown(json.loads(args.from_json.read_text())))
        return
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    generator = torch.Generator().manual_seed(0)
    results = {}
    for cases in args.cases:
        results[str(cases)] = summary(measure(draws(cases, args.copies, generator), args, console))
        show(console, str(cases), results[str(cases)])
    on = {**machine(), "load_average_before": busy}
    console.print(f"Medians of {args.rounds} rounds; {args.threads} threads. Machine: {on}")
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name not in ("json", "from_json")}
        write(args.json, {"settings": settings, "machine": on, "cases": results})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

"""The time of one learning step of a deep Boltzmann machine of 784-500-1000 binary units, beside its matrix products, on the CPU.

    python benchmarks/dbm_step.py --json dbm.json
    python benchmarks/dbm_step.py --batch 20 --chains 20 --rounds 2 --repeats 2 --rows 40     # a quick look

Each round measures every line once, in an order that rotates; a line is the median over rounds of the milliseconds an update takes, with
its quartiles, and its ratio to the products of the same round. The lines:
- matrix products: those that an update cannot do without, by `torch.mm` into buffers that are there already: v W1 once; the two of the
  bottom-up pass and of every mean-field sweep (h1 W2, h2 W2'); the four of every Gibbs sweep of the chains (v W1, h2 W2', h1 W1', h1 W2);
  the two that make the chains' h1 means; the four of the gradient.
- harmonium: gradient: mean field, the chains' sweeps, and <dE/dθ>_data - <dE/dθ>_model, on one batch of floats, no optimiser.
- harmonium: a step of hm.fit: an epoch divided by its updates, with the gather of shuffled uint8 rows and their conversion, fused SGD with
  momentum, the checks for non-finite values, and the figures after the epoch.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

import harmonium as hm
from harmonium.learning import write_gradient
from machine import as_users_run, load_average, machine, write
from ours import Clock, repeated

PIXELS, FIRST, SECOND = 784, 500, 1000
PRODUCTS, GRADIENT, FIT = "matrix products", "harmonium: gradient", "harmonium: a step of hm.fit"

optimizer = partial(hm.MomentumSGD, lr=0.01, momentum=0.9)


@dataclass(frozen=True)
class Arguments:
    """Times one learning step of a deep Boltzmann machine beside its matrix products."""

    batch: int = 100
    """Cases in a batch."""
    chains: int = 100
    """Persistent chains."""
    steps: int = 5
    """Gibbs sweeps an update."""
    sweeps: int = 10
    """Of mean field."""
    rounds: int = 7
    """How often each line is measured."""
    repeats: int = 20
    """Updates in one measurement of the first two lines."""
    rows: int = 20_000
    """Cases that an epoch of the third has: enough that the figures at its end weigh little."""
    threads: int = 2
    """Of PyTorch."""
    json: Path | None = None
    """A file to write the figures to."""

    def __post_init__(self) -> None:
        if min(self.batch, self.chains, self.steps, self.sweeps, self.rounds, self.repeats, self.rows, self.threads) < 1:
            raise ValueError(f"expected at least one of everything, found {self}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def products(args: Arguments) -> float:
    """Milliseconds that the matrix products alone take."""
    first, second = torch.randn(PIXELS, FIRST).mul_(0.01), torch.randn(FIRST, SECOND).mul_(0.01)
    of_first, of_second = torch.empty_like(first), torch.empty_like(second)
    sides = [[torch.rand(cases, size) for size in (PIXELS, FIRST, FIRST, SECOND)] for cases in (args.batch, args.chains)]

    def update() -> None:
        v, h1, into, h2 = sides[0]
        torch.mm(v, first, out=into)
        for _ in range(args.sweeps):
            torch.mm(h1, second, out=h2)
            torch.mm(h2, second.t(), out=into)
        torch.mm(h1, second, out=h2)  # of the bottom-up pass, whose first product is that of v above
        v, h1, into, h2 = sides[1]
        for sweep in range(args.steps + 1):
            torch.mm(v, first, out=into)
            torch.mm(h2, second.t(), out=h1)
            if sweep < args.steps:
                torch.mm(h1, first.t(), out=v)
                torch.mm(h1, second, out=h2)
        for v, h1, _, h2 in sides:
            torch.mm(v.t(), h1, out=of_first)
            torch.mm(h1.t(), h2, out=of_second)
        for side in sides:  # the values must neither grow nor vanish from repeat to repeat
            for buffer in side:
                buffer.fill_(0.5)

    return repeated(update, args.repeats)


def dbm() -> hm.DBM:
    return hm.DBM([hm.Bernoulli(size) for size in (PIXELS, FIRST, SECOND)])


def gradient(args: Arguments) -> float:
    """Milliseconds that the gradient takes."""
    model, negative = dbm(), hm.PersistentCD(args.chains, args.steps)
    v = torch.bernoulli(torch.full((args.batch, PIXELS), 0.2), generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    slots = negative.init(model.joint, generator)

    def once() -> None:
        write_gradient(model.joint, model.mean_field(v, sweeps=args.sweeps).phase, negative, slots, generator=generator)

    return repeated(once, args.repeats)


def fit(args: Arguments) -> float:
    """Milliseconds that a step of `hm.fit` takes."""
    rows = torch.randint(2, (args.rows, PIXELS), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    clock, negative = Clock(), hm.PersistentCD(args.chains, args.steps)
    settings = {"epochs": 1, "batch_size": args.batch, "sweeps": args.sweeps, "optimizer": optimizer, "progress": False}
    state = hm.fit(dbm(), rows, negative=negative, callbacks=[clock], **settings)
    return 1e3 * clock.seconds / state.step


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    lines = {PRODUCTS: products, GRADIENT: gradient, FIT: fit}
    times: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(args.rounds):
        names = list(lines)
        for name in names[turn % 3 :] + names[: turn % 3]:
            times[name].append(lines[name](args))
    table, rows = Table(title=f"784-500-1000, batches of {args.batch}"), []
    for heading in ("", "ms an update", "quartiles", "times the products"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, found in times.items():
        values = np.array(found)
        lower, median, upper = np.percentile(values, [25, 50, 75]).tolist()
        ratio = float(np.median(values / times[PRODUCTS]))
        table.add_row(name, f"{median:.1f}", f"{lower:.1f}-{upper:.1f}", f"{ratio:.2f}")
        rows.append({"line": name, "median_ms": median, "quartiles_ms": [lower, upper], "values_ms": found, "ratio_to_products": ratio})
    console.print(table)
    on = {**machine(), "load_average_before": busy}
    console.print(f"Medians of {args.rounds} rounds; {args.threads} threads. Machine: {on}")
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name != "json"}
        write(args.json, {"settings": settings, "machine": on, "lines": rows})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

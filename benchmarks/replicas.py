"""Many nets trained as replicas, one batched computation, against the same nets trained one by one, on the CPU.

    python benchmarks/replicas.py --json replicas.json
    python benchmarks/replicas.py --smoke                      # a quick look

Every line trains nets of 784-200-200-10 by `hm.fine_tune` with batches of 10 for one epoch, with all that users get: shuffled rows, the
optimiser, the checks for non-finite values, the figures after the epoch. Each net has its own order of cases, learning rate and weight
cost. Each round measures every line once, in an order that rotates; a line is the median over rounds of the milliseconds that one update of
one net takes, with its quartiles, and its ratio to the line above of the same round. At least 4 times as fast, with two threads, is what we
ask for. The lines, by each of two optimisers, SGD without momentum, the default, and with it:
- one by one: `hm.fine_tune(net, ...)` of some of the nets (`alone`), as the others take the same time.
- as replicas: `hm.fine_tune(hm.Replicas(nets), ...)` of all of them.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

import harmonium as hm
from machine import as_users_run, load_average, machine, write
from ours import Clock

SIZES = (784, 200, 200, 10)
MOMENTA = {"SGD": 0.0, "SGD with momentum": 0.9}


@dataclass(frozen=True)
class Arguments:
    """Times nets trained as replicas beside nets trained one by one."""

    nets: int = 50
    """Replicas."""
    alone: int = 5
    """Of these, how many are trained one by one."""
    batch: int = 10
    """Cases in a batch."""
    rows: int = 1000
    """Cases of an epoch."""
    rounds: int = 7
    """How often each line is measured."""
    threads: int = 2
    """Of PyTorch."""
    smoke: bool = False
    """Few of everything: whether it runs."""
    json: Path | None = None
    """A file to write the figures to."""

    def __post_init__(self) -> None:
        if min(self.nets, self.alone, self.batch, self.rows, self.rounds, self.threads) < 1:
            raise ValueError(f"expected at least one of everything, found {self}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def net(seed: int) -> torch.nn.Sequential:
    """A net with random weights, from its own seed."""
    layers = [hm.Bernoulli(size, values="probabilities") for size in SIZES[:-1]]
    rbms = [hm.RBM(below, above, seed=seed) for below, above in pairwise(layers)]
    return hm.nets.classifier(hm.DBN(rbms), classes=SIZES[-1], seed=seed)


def cases(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bytes and labels: their values do not change the time."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(256, (count, SIZES[0]), dtype=torch.uint8, generator=generator)
    return rows, torch.randint(SIZES[-1], (count,), generator=generator)


def settings(args: Arguments) -> tuple[list[float], list[float]]:
    """The learning rate and the weight cost of each net."""
    return np.geomspace(0.01, 0.1, args.nets).tolist(), np.geomspace(1e-5, 1e-3, args.nets).tolist()


def one_by_one(args: Arguments, momentum: float) -> float:
    """Milliseconds an update, of each net alone."""
    (rates, costs), found = settings(args), []
    for seed in range(min(args.alone, args.nets)):
        clock = Clock()
        optimizer = partial(hm.MomentumSGD, lr=rates[seed], momentum=momentum)
        common = {"epochs": 1, "head_epochs": 0, "batch_size": args.batch, "callbacks": [clock], "progress": False}
        state = hm.fine_tune(net(seed), *cases(args.rows), optimizer=optimizer, weight_cost=costs[seed], seed=seed, **common)
        found.append(1e3 * clock.seconds / state.step)
    return float(np.mean(found))


def as_replicas(args: Arguments, momentum: float) -> float:
    """Milliseconds an update, of each of all nets together."""
    (rates, costs), clock = settings(args), Clock()
    many = hm.Replicas([net(seed) for seed in range(args.nets)])
    optimizer = partial(hm.ReplicaSGD, lr=rates, momentum=momentum)
    common = {"epochs": 1, "head_epochs": 0, "batch_size": args.batch, "callbacks": [clock], "progress": False}
    state = hm.fine_tune(many, *cases(args.rows), optimizer=optimizer, weight_cost=costs, **common)
    return 1e3 * clock.seconds / state.step / args.nets


def main(args: Arguments) -> None:
    if args.smoke:
        args = replace(args, nets=3, alone=1, rows=40, rounds=2)
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    lines = {
        f"{title}, {name}": partial(measure, momentum=momentum)
        for name, momentum in MOMENTA.items()
        for title, measure in (("one by one", one_by_one), ("as replicas", as_replicas))
    }
    for measure in lines.values():  # the first training of a process is slower
        measure(replace(args, rows=2 * args.batch, alone=1))
    times: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(args.rounds):
        names = list(lines)
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(lines[name](args))
    table, rows = Table(title=f"{args.nets} nets of {'-'.join(map(str, SIZES))}, batches of {args.batch}"), []
    for heading in ("", "ms an update of a net", "quartiles", "times as fast"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name, found in times.items():
        values = np.array(found)
        lower, median, upper = np.percentile(values, [25, 50, 75]).tolist()
        base = times[f"one by one, {name.partition(', ')[2]}"]
        ratio = float(np.median(np.array(base) / values))
        table.add_row(name, f"{median:.3f}", f"{lower:.3f}-{upper:.3f}", f"{ratio:.2f}")
        rows.append({"line": name, "median_ms": median, "quartiles_ms": [lower, upper], "values_ms": found, "times_as_fast": ratio})
    console.print(table)
    on = {**machine(), "load_average_before": busy}
    console.print(f"Medians of {args.rounds} rounds; {args.threads} threads. Machine: {on}")
    if args.json is not None:
        chosen = {name: value for name, value in asdict(args).items() if name != "json"}
        write(args.json, {"settings": chosen, "machine": on, "lines": rows})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

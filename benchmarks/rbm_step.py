"""The time of one learning step of an RBM of 784 x 500 binary units, beside that of its peers, in one run on the CPU.

    python benchmarks/rbm_step.py --json step.json
    python benchmarks/rbm_step.py --batches 100 --rounds 2 --rows 2000 --no-peers     # a quick look

Each round runs every contender once, in an order that rotates from round to round, so that a machine that warms up or slows down
does so for all. A contender lives in a process of its own, as its users run it, and sleeps while the others are measured. Each line
gives the median over rounds of the milliseconds an update takes, and its quartiles. A ratio is taken inside a round, and its median
over rounds is shown: to the floor, and, for a peer, to a step of `hm.fit` (above 1: the peer is slower). All are warmed up before the
first round, and all run on the same number of threads, NumPy's products too.

The lines:
- five matrix products: the floor, which no CD-1 update that computes both averages can beat: v W, h W', v' W, v'h and v''h', by
  `torch.mm` into buffers that are there already, and nothing else.
- harmonium: gradient, "mean" and "sample": <dE/dθ>_data - <dE/dθ>_model by CD-1 on one batch of floats, no optimiser; the reconstruction
  is the mean of the visible units, or a sample.
- harmonium: a step of hm.fit: an epoch of `hm.fit` divided by its updates, with all that users get: the gather of shuffled uint8 rows
  and their conversion, the CD-1 gradient ("mean"), fused SGD with momentum 0.9 and a weight cost of 0.0002, the checks for non-finite
  values, and the figures that it computes after the epoch.
- scikit-learn: BernoulliRBM.fit: one epoch on float32 in [0, 1]. Persistent chains (one sweep an update), plain gradient ascent, no
  shuffling, no figures.
- rbms: rbms train, CD-1: its command's own `train` with `--training_type cd --gibbs_steps 1` (its defaults are persistent chains and 100
  sweeps) on binary float32, as many updates as an epoch has; otherwise its defaults: a centred gradient, plain SGD, up to 50
  checkpoints in an archive, and a progress bar.
- learnergy: RBM.fit: its quick start, one epoch on a `TensorDataset` of float32 in [0, 1]: CD-1 by autograd of the free energy, plain
  SGD, a `DataLoader`, and the reconstruction error and pseudo-likelihood of every batch.
The set-up of a model and of its data is outside the time for all but scikit-learn, where it is less than a hundredth of an epoch. The
first three are measured over many repeats, the others over one whole epoch; rbms and learnergy by the clocks that they keep
themselves. The peers that are not installed are named, and left out.

Memory is the peak resident size of a fresh process that loads the data and fits one epoch with `hm.fit`, Python and PyTorch included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits
from torch import Tensor

import harmonium as hm
import ours
import peers
from machine import load_average, machine, write
from ours import Contender

FLOOR, OURS = "five matrix products", "harmonium: a step of hm.fit"
WARM_UP = 20  # updates
SPAWN = get_context("spawn")


@dataclass(frozen=True)
class Arguments:
    """Times one learning step of an RBM beside its peers'."""

    batches: tuple[int, ...] = (100, 500)
    """Batch sizes."""
    rounds: int = 7
    """How often each contender is measured."""
    repeats: int = 100
    """Updates in one measurement of what is shorter than an epoch."""
    rows: int = 60_000
    """Cases that an epoch has."""
    threads: int = 2
    """Threads of PyTorch and of NumPy."""
    data: Literal["mnist", "random"] = "mnist"
    """Random uint8 of the same shape also stand in where MNIST cannot be had."""
    peers: bool = True
    """Whether to run other libraries."""
    json: Path | None = None
    """A file to write the figures to."""
    memory_only: bool = False
    """Only fit one epoch and print the peak memory: what the fresh process is told to do."""

    def __post_init__(self) -> None:
        if min(self.rounds, self.repeats, self.threads, *self.batches) < 1 or not self.batches:
            raise ValueError(f"expected at least one round, repeat, thread and batch size, found {self}")
        if self.rows < 2 * max(self.batches):
            raise ValueError(f"an epoch needs at least two batches: {self.rows} rows are too few for batches of {max(self.batches)}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def load(args: Arguments) -> tuple[Tensor, str]:
    """Images (rows, 784) uint8, and what they are."""
    if args.data == "mnist":
        try:
            return hm.data.mnist.load().train_images[: args.rows], "MNIST"
        except FileNotFoundError as error:
            print(f"MNIST cannot be had ({error}): random data instead", file=sys.stderr)
    return torch.randint(256, (args.rows, 784), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)), "random uint8"


def contender(key: str, batch: int, repeats: int) -> Contender:
    """The contender of this name. ImportError where its library is not installed."""
    if key in peers.PEERS:
        return peers.PEERS[key](batch)
    made: dict[str, Callable[[], Contender]] = {
        "floor": lambda: ours.floor(batch, repeats),
        "mean": lambda: ours.gradient(batch, repeats, "mean"),
        "sample": lambda: ours.gradient(batch, repeats, "sample"),
        "fit": lambda: ours.fit(batch),
    }
    return made[key]()


def work(pipe: Connection, key: str, batch: int, args: Arguments) -> None:
    """What a contender's process does: says who it is once it is warm, then measures whenever it is asked to, until told to end."""
    torch.set_num_threads(args.threads)
    try:
        running = contender(key, batch, args.repeats)
    except ImportError as error:
        pipe.send(f"not installed ({error})")
        return
    images, _ = load(args)
    with threadpool_limits(args.threads):
        running.measure(images[: WARM_UP * batch])
        pipe.send((running.name, running.peer))
        while pipe.recv():
            pipe.send(running.measure(images))


@dataclass(frozen=True)
class Worker:
    """A contender in a process of its own."""

    name: str
    peer: bool
    pipe: Connection


def start(args: Arguments, batch: int) -> tuple[list[Worker], dict[str, str]]:
    """Those that can run, warm and asleep, and the peers' versions, or why they are left out."""
    running, found = [], {}
    for key in ("floor", "mean", "sample", "fit", *(peers.PEERS if args.peers else ())):
        pipe, theirs = SPAWN.Pipe()
        SPAWN.Process(target=work, args=(theirs, key, batch, args), daemon=True).start()
        theirs.close()
        answer = pipe.recv()
        if isinstance(answer, str):
            found[key] = answer
            continue
        running.append(Worker(*answer, pipe))
        if key in peers.PEERS:
            found[key] = version(key)
    return running, found


def measure(running: list[Worker], batch: int, rounds: int, console: Console) -> dict[str, list[float]]:
    """Milliseconds an update: one value a round for each contender."""
    times: dict[str, list[float]] = {worker.name: [] for worker in running}
    for turn in range(rounds):
        first = turn % len(running)
        for worker in running[first:] + running[:first]:
            with console.status(f"batch {batch}, round {turn + 1} of {rounds}: {worker.name}"):
                worker.pipe.send(True)
                times[worker.name].append(worker.pipe.recv())
    for worker in running:
        worker.pipe.send(False)
    return times


def summary(running: list[Worker], times: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One row a contender. Ratios are of values of the same round."""
    rows = []
    for worker in running:
        values = np.array(times[worker.name])
        lower, median, upper = np.percentile(values, [25, 50, 75]).tolist()
        row = {"contender": worker.name, "median_ms": median, "quartiles_ms": [lower, upper], "values_ms": values.tolist()}
        row["ratio_to_floor"] = float(np.median(values / times[FLOOR]))
        if worker.peer:
            row["ratio_to_harmonium"] = float(np.median(values / times[OURS]))
        rows.append(row)
    return rows


def show(console: Console, batch: int, rows: list[dict[str, Any]], missing: dict[str, str]) -> None:
    """The table of one batch size."""
    table = Table(title=f"784 x 500, batches of {batch}")
    table.add_column("", no_wrap=True)
    for heading in ("ms an update", "quartiles", "times floor", "times hm.fit"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        lower, upper = row["quartiles_ms"]
        beside = f"{row['ratio_to_harmonium']:.2f}" if "ratio_to_harmonium" in row else ""
        table.add_row(row["contender"], f"{row['median_ms']:.3f}", f"{lower:.3f}-{upper:.3f}", f"{row['ratio_to_floor']:.2f}", beside)
    console.print(table)
    for name, reason in missing.items():
        console.print(f"{name}: {reason}")


def peak_mib() -> float:
    """Peak resident size of this process so far. Linux's own count is better: `ru_maxrss` begins at the parent's where it is larger."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def memory(args: Arguments) -> dict[str, float]:
    """Peak memory of a fresh process, in MiB: of its imports alone, and at the end of an epoch."""
    given = ["--batches", str(args.batches[0]), "--rows", str(args.rows), "--threads", str(args.threads), "--data", args.data]
    done = subprocess.run([sys.executable, __file__, "--memory-only", *given], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the process whose memory is measured failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    if args.memory_only:
        imports = peak_mib()
        ours.train(load(args)[0], args.batches[0])
        print(json.dumps({"imports_mib": imports, "peak_mib": peak_mib()}))
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    busy = load_average(console)
    used = memory(args)  # first: while this process is still small
    images, data = load(args)
    results, found = {}, {}
    for batch in args.batches:
        running, found = start(args, batch)
        results[str(batch)] = summary(running, measure(running, batch, args.rounds, console))
        show(console, batch, results[str(batch)], {name: why for name, why in found.items() if why.startswith("not")})
    on = {**machine(), "load_average_before": busy}
    console.print(f"Peak memory of hm.fit: {used['peak_mib']:.0f} MiB, of which {used['imports_mib']:.0f} are the imports")
    console.print(f"{data}, {len(images)} cases an epoch; medians of {args.rounds} rounds; {args.threads} threads; peers: {found}")
    console.print(f"Machine: {on}")
    if args.json is not None:
        settings = {name: value for name, value in asdict(args).items() if name not in ("json", "memory_only")}
        record = {"settings": settings, "data": data, "machine": on, "peers": found, "memory": used, "batches": results}
        write(args.json, record)


if __name__ == "__main__":
    main(tyro.cli(Arguments))

"""The time of one learning step of an RBM of 784 x 500 binary units, beside that of its peers, in one run on the CPU.

    python benchmarks/rbm_step.py                                 # prints the table of docs/benchmarks.md
    python benchmarks/rbm_step.py --json step.json
    python benchmarks/rbm_step.py --from-json step.json           # the same table again
    python benchmarks/rbm_step.py --batches 100 --rounds 2 --rows 2000 --no-peers     # a quick look
    python benchmarks/rbm_step.py --against COMMIT                # a step of hm.fit beside that of a commit

Each round runs every contender once, in an order that rotates from round to round, so that a machine that warms up or slows down
does so for all. A contender lives in a process of its own, as its users run it, and sleeps while the others are measured. Each line
gives the median over rounds of the milliseconds an update takes, and its quartiles. A ratio is taken inside a round, and its median
over rounds is shown: to the floor, and, for a peer, to a step of `hm.fit` (above 1: the peer is slower). All are warmed up before the
first round, and all run on the same number of threads, NumPy's products too. Variables that force another processor's BLAS kernel on
NumPy or PyTorch are unset first; under the table stand the kernels and threads that the processes had.

The lines:
- five matrix products: the floor, which no CD-1 update that computes both averages can beat: v W, h W', v' W, v'h and v''h', by
  `torch.mm` into buffers that are there already, and nothing else.
- harmonium: gradient, "mean" and "sample": <dE/dθ>_data - <dE/dθ>_model by CD-1 on one batch of floats, no optimiser; the reconstruction
  is the mean of the visible units, or a sample.
- harmonium: a step of hm.fit: an epoch of `hm.fit` divided by its updates, with all that users get: the gather of shuffled uint8 rows
  and their conversion, the CD-1 gradient ("mean"), fused SGD with momentum 0.9 and a weight cost of 0.0002, the checks for non-finite
  values, and the figures that it computes after the epoch.
- ..., bfloat16: the five products of bfloat16 operands, and a step of `hm.fit(..., precision="bfloat16")`.
- scikit-learn: BernoulliRBM.fit: one epoch on float32 in [0, 1]. Persistent chains (one sweep an update), plain gradient ascent, no
  shuffling, no figures.
- rbms: rbms train, CD-1: its command's own `train` with `--training_type cd --gibbs_steps 1` (its defaults are persistent chains and 100
  sweeps) on binary float32, as many updates as an epoch has; otherwise its defaults: a centred gradient, plain SGD, up to 50
  checkpoints in an archive, and a progress bar.
- learnergy: RBM.fit: its quick start, one epoch on a `TensorDataset` of float32 in [0, 1]: CD-1 by autograd of the free energy, plain
  SGD, a `DataLoader`, and the reconstruction error and pseudo-likelihood of every batch.
- ebmkit: its example's loop: CD-1 by autograd of the free energy on random batches of float32 in [0, 1], and Adam; no shuffling, no
  figures.
The set-up of a model and of its data is outside the time for all but scikit-learn, where it is less than a hundredth of an epoch. The
first three are measured over many repeats, the others over one whole epoch; rbms and learnergy by the clocks that they keep
themselves. The peers that are not installed are named, and left out.

Memory is the peak resident size of a fresh process that loads the data and fits one epoch with `hm.fit`, Python and PyTorch included.

`--against` measures the line "a step of hm.fit" twice, with the package of the working tree and with that of a commit: see `against`.
"""

from __future__ import annotations

import json
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from threadpoolctl import threadpool_limits
from torch import Tensor

import against
import harmonium as hm
import ours
import peers
from machine import as_users_run, load_average, machine, markdown_table, where, write
from ours import Contender
from rounds import NOT_INSTALLED, Worker, all_kernels, in_rounds, serve, start, versions

FLOOR, OURS = "five matrix products", "harmonium: a step of hm.fit"
WARM_UP = 20  # updates


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
    from_json: Path | None = None
    """A file of figures: print their table, and measure nothing."""
    against: str | None = None
    """A commit: time a step of hm.fit of the working tree beside that of this commit, and nothing else."""
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
    """The contender of this name."""
    if key in peers.PEERS:
        return peers.PEERS[key](batch)
    made: dict[str, Callable[[], Contender]] = {
        "floor": lambda: ours.floor(batch, repeats),
        "floor in bfloat16": lambda: ours.floor(batch, repeats, "bfloat16"),
        "mean": lambda: ours.gradient(batch, repeats, "mean"),
        "sample": lambda: ours.gradient(batch, repeats, "sample"),
        "fit": lambda: ours.fit(batch),
        "fit in bfloat16": lambda: ours.fit(batch, "bfloat16"),
    }
    return made[key]()


def work(pipe: Connection, key: str, batch: int, args: Arguments) -> None:
    """What a contender's process does."""
    torch.set_num_threads(args.threads)
    running = contender(key, batch, args.repeats)
    images, _ = load(args)
    with threadpool_limits(args.threads):
        running.measure(images[: WARM_UP * batch])
        serve(pipe, running.name, running.peer, lambda: running.measure(images))


def summary(running: list[Worker], times: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One row a contender. Ratios are of values of the same round."""
    rows = []
    for worker in running:
        values = np.array(times[worker.name])
        lower, median, upper = np.percentile(values, [25, 50, 75]).tolist()
        row = {"contender": worker.name, "blas": worker.blas, "median_ms": median, "quartiles_ms": [lower, upper]}
        row["values_ms"] = values.tolist()
        row["ratio_to_floor"] = float(np.median(values / times[FLOOR]))
        if worker.peer:
            row["ratio_to_harmonium"] = float(np.median(values / times[OURS]))
        rows.append(row)
    return rows


def markdown(record: dict[str, Any]) -> str:
    """The table of docs/benchmarks.md, and what it was measured with."""
    results, on, settings = record["batches"], record["machine"], record["settings"]
    headings, lines = [""], [[row["contender"]] for row in next(iter(results.values()))]
    for batch, rows in results.items():
        headings += [f"batch {batch}: ms", "quartiles", "times floor", "times hm.fit"]
        for line, row in zip(lines, rows, strict=True):
            lower, upper = row["quartiles_ms"]
            to_ours = f"{row['ratio_to_harmonium']:.2f}" if "ratio_to_harmonium" in row else ""
            line += [f"{row['median_ms']:.2f}", f"{lower:.2f}-{upper:.2f}", f"{row['ratio_to_floor']:.2f}", to_ours]
    blas = "; ".join(all_kernels(row["blas"] for rows in results.values() for row in rows))
    beside = ", ".join(f"{name} {found}" for name, found in record["peers"].items()) or "no peers"
    cases = f"{record['data']}, {settings['rows']:,} cases an epoch; medians of {settings['rounds']} rounds"
    used = "peak memory of hm.fit {peak_mib:.0f} MiB, of which {imports_mib:.0f} are the imports".format(**record["memory"])
    made_by = f"{cases}; {used}; commit {record['commit']}; `{record['command']}`."
    return "\n".join([*markdown_table(headings, lines), "", f"{where(on)}, {beside}. BLAS: {blas}.", made_by])


def shown(record: dict[str, Any]) -> str:
    """What is printed of either kind of run."""
    return against.markdown(record) if "against" in record else markdown(record)


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


def results(args: Arguments, console: Console) -> dict[str, Any]:
    """All that was measured, by batch size, and the peers' versions."""
    found = versions(peers.PEERS if args.peers else ())
    keys = [
        "floor",
        "floor in bfloat16",
        "mean",
        "sample",
        "fit",
        "fit in bfloat16",
        *(name for name, which in found.items() if which != NOT_INSTALLED),
    ]
    rows = {}
    for batch in args.batches:
        running = start(work, keys, batch, args)
        rows[str(batch)] = summary(running, in_rounds(running, f"batch {batch}", args.rounds, console))
    return {"peers": found, "batches": rows}


def main(args: Arguments) -> None:
    if args.from_json is not None:
        print(shown(json.loads(args.from_json.read_text())))
        return
    torch.set_num_threads(args.threads)
    if args.memory_only:
        imports = peak_mib()
        ours.train(load(args)[0], args.batches[0])
        print(json.dumps({"imports_mib": imports, "peak_mib": peak_mib()}))
        return
    console = Console(stderr=True)
    busy = load_average(console)
    settings = {name: value for name, value in asdict(args).items() if name not in ("json", "from_json", "memory_only")}
    record = {"settings": settings, "command": shlex.join(["python", *sys.argv])}
    if args.against is not None:
        record |= against.results(args, console)
    else:
        from harmonium.runs.provenance import commit  # here: a commit that is measured against may have it elsewhere

        record |= {"commit": commit(), "memory": memory(args)}  # memory first: while this process is still small
        record |= {"data": load(args)[1], **results(args, console)}
    record["machine"] = {**machine(), "load_average_before": busy}
    print(shown(record))
    if args.json is not None:
        write(args.json, record)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

"""How good an RBM becomes on each of the binary density sets in the same seconds, by Harmonium and its peers with nothing chosen.

    python benchmarks/densities.py --json densities.json
    python benchmarks/densities.py --from-json densities.json      # the table of docs/benchmarks.md
    python benchmarks/densities.py --seconds 2 --only nltcs dna    # a quick look

Each library learns a machine of 20 hidden units, few enough for exact likelihoods, from the training cases of a set, with its defaults or
those of its documentation (`DOCUMENTED` in learners.py), in a process of its own, for the same seconds. What comes before learning
(loading, converting, making the machine, a first update elsewhere) is not counted. The figure is the exact mean log-likelihood of the test
cases, in nats. It chooses nothing: no validation cases are used.

- harmonium: `hm.fit(rbm, cases, updates=...)` with nothing else named. It needs to know its length, so that 300 updates of another machine
  are timed first, and the length is what fits in the time that is left.
- the others: as in `nats`. They know no end: their rates stay as they are until the time is up.
- independent: base rates of the training cases.
The peers that are not installed are named, and left out.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from threadpoolctl import threadpool_limits
from torch import Tensor

import harmonium as hm
import learners
from harmonium.data.binary_density import NAMES
from harmonium.runs.provenance import commit
from learners import Parameters, Setting
from machine import as_users_run, kernels, load_average, machine, markdown_table, where, write
from rounds import SPAWN, all_kernels

OURS, BASE = "harmonium", "independent"
PILOT = 300  # updates that are timed


@dataclass(frozen=True)
class Arguments:
    """Exact test log-likelihoods of what each library learns in the same time."""

    seconds: float = 60.0
    """How long each learns."""
    hidden: int = 20
    """Hidden units; 2^hidden states are summed over."""
    only: tuple[str, ...] = ()
    """Some of the sets; all by default."""
    seed: int = 0
    """Of every contender."""
    threads: int = 1
    """Of each contender."""
    workers: int = 1
    """Contenders that learn at once; with more than one, all of them meet a machine as busy."""
    json: Path | None = None
    """A file to write the figures to."""
    from_json: Path | None = None
    """A file of figures: print its table as Markdown, and measure nothing."""


def harmonium(cases: Tensor, seconds: float, hidden: int, seed: int) -> tuple[int, Parameters]:
    """The number of updates, and W and the biases."""
    learn = partial(hm.fit, data=cases, seed=seed, progress=False)
    began = time.perf_counter()
    learn(hm.RBM(cases.shape[1], hidden, seed=seed), updates=PILOT)
    took = time.perf_counter() - began
    rbm = hm.RBM(cases.shape[1], hidden, seed=seed)
    state = learn(rbm, updates=max(PILOT, int((seconds - took) / took * PILOT)))
    parts = (rbm.coupling.weight, rbm.visible.bias, rbm.hidden.bias)
    return state.step, tuple(part.detach().numpy() for part in parts)


def learnt(name: str, setting: Setting | None, args: Arguments) -> dict[str, Any]:
    """What a contender's process does: the updates and seconds that it took, and the exact test nats. No setting: Harmonium."""
    torch.set_num_threads(args.threads)
    found = hm.data.binary_density.load(name)
    with warnings.catch_warnings(), threadpool_limits(args.threads):
        warnings.simplefilter("ignore")
        if setting is None:
            harmonium(found.train[:1000], 0.0, args.hidden, args.seed)  # what is loaded late
            began = time.perf_counter()
            updates, parameters = harmonium(found.train, args.seconds, args.hidden, args.seed)
            seconds = time.perf_counter() - began
        else:
            kept = learners.learn(found.train.bool(), replace(setting, hidden=args.hidden), [args.seconds], args.seed)[-1]
            updates, seconds, parameters = kept.updates, kept.seconds, kept.parameters
        return {"updates": updates, "seconds": seconds, "nats": nats(parameters, found.test), "blas": kernels()}


def nats(parameters: Parameters, cases: Tensor) -> float:
    """Exact; NaN for parameters that diverged."""
    if not all(np.isfinite(part).all() for part in parameters):
        return float("nan")
    weight, visible, hidden = (torch.tensor(part, dtype=torch.float64) for part in parameters)
    rbm = hm.RBM(len(visible), len(hidden)).double()
    with torch.no_grad():
        rbm.coupling.weight.copy_(weight)
        rbm.visible.bias.copy_(visible)
        rbm.hidden.bias.copy_(hidden)
        return float(hm.likelihood.log_likelihood(rbm, cases.double(), log_z=hm.likelihood.exact_log_z(rbm)).mean())


def independent(name: str) -> float:
    """Nats of base rates."""
    found = hm.data.binary_density.load(name)
    unit = hm.Bernoulli(found.train.shape[1])
    unit.init_from(found.train.float())
    return float(torch.distributions.Bernoulli(logits=unit.bias.detach().double()).log_prob(found.test.double()).sum(1).mean())


def installed(library: str) -> str:
    """Its version, or that it is not there."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def measure(args: Arguments, console: Console) -> dict[str, Any]:
    """The figures of each set and contender."""
    names = args.only or NAMES
    peers = {setting.library: installed(setting.library) for setting in learners.DOCUMENTED}
    contenders = {OURS: None, **{each.library: each for each in learners.DOCUMENTED if not peers[each.library].startswith("not")}}
    rows: dict[str, dict[str, Any]] = {name: {} for name in names}
    busy = load_average(console)
    with ProcessPoolExecutor(args.workers, SPAWN, max_tasks_per_child=1) as pool:
        jobs = {(name, who): pool.submit(learnt, name, setting, args) for name in names for who, setting in contenders.items()}
        for (name, who), job in jobs.items():
            rows[name][who] = job.result()
            console.print(f"{name}, {who}: {rows[name][who]['nats']:.3f}")
    for name in names:
        rows[name][BASE] = {"nats": independent(name)}
    command = shlex.join(["python", *sys.argv])
    on = {**machine(), "load_average_before": busy}
    settings = {key: value for key, value in asdict(args).items() if key not in ("json", "from_json")}
    return {"settings": settings, "sets": rows, "peers": peers, "machine": on, "commit": commit(), "command": command}


def markdown(record: dict[str, Any]) -> str:
    """The table, the best of each line in bold, how often each is first, and what it was measured with."""
    who = list(next(iter(record["sets"].values())))
    lines, first = [], dict.fromkeys(who, 0)
    for name, row in record["sets"].items():
        best = max(who, key=lambda each: np.nan_to_num(row[each]["nats"], nan=-np.inf))
        first[best] += 1
        cells = [f"{row[each]['nats']:.3f}" for each in who]
        lines.append([name, *(f"**{cell}**" if each == best else cell for each, cell in zip(who, cells, strict=True))])
    lines.append(["first on", *(str(first[each]) for each in who)])
    given = record["settings"]
    versions = ", ".join(f"{name} {found}" for name, found in record["peers"].items())
    blas = "; ".join(all_kernels(each["blas"] for row in record["sets"].values() for each in row.values() if "blas" in each))
    made_by = f"{where(record['machine'])}, {versions}. BLAS: {blas}. Commit {record['commit']}; `{record['command']}`."
    what = f"Exact nats of the test cases after {given['seconds']:g} s of learning on {given['threads']} thread(s)."
    return "\n".join([*markdown_table(["", *who], lines), "", f"{what} {made_by}"])


def main(args: Arguments) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    record = json.loads(args.from_json.read_text()) if args.from_json else measure(args, console)
    if args.json is not None and args.from_json is None:
        write(args.json, record)
    print(markdown(record))


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

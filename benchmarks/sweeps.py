"""The time of a sweep of block Gibbs sampling of 784 x 500 binary units, beside that of its peers, in one run on the CPU.

    python benchmarks/sweeps.py                                  # prints the tables of docs/benchmarks.md
    python benchmarks/sweeps.py --json sweeps.json
    python benchmarks/sweeps.py --from-json sweeps.json          # the same tables again
    python benchmarks/sweeps.py --rounds 2 --repeats 20 --no-peers     # a quick look

A sweep draws all hidden units of every chain and then all visible ones, float32. Weights are drawn from N(0, 0.05²), biases are zero.
Each round runs every contender once, in an order that rotates; a contender lives in a process of its own, warm, and sleeps while the
others are measured. Each line gives the median over rounds of the milliseconds a sweep of all chains takes, and the chain sweeps a second
(chains over that time). A ratio is taken inside a round, and its median over rounds is shown: to the floor, and, for a peer, to
`rbm.gibbs` (above 1: the peer is slower).

The lines:
- two matrix products: the floor: v W and h W', by `torch.mm` into buffers that are there already, and nothing else.
- harmonium: rbm.gibbs: `rbm.gibbs(v, steps=repeats)`.
- harmonium: AIS, a temperature: annealed importance sampling from given base rates, divided by its temperatures: a sweep and the
  log-weights. At most 1.8 times the floor with 100 chains is what we allow.
- scikit-learn: `BernoulliRBM.gibbs`, one call a sweep, parameters float32.
- rbms: `sample_state`. It draws the hidden units once more at its end.
- learnergy: `gibbs_sampling` of as many steps, without autograd. It draws the hidden units first once more.
The peers that are not installed are named, and left out.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from threadpoolctl import threadpool_limits
from torch import Tensor

import harmonium as hm
from harmonium.runs.provenance import commit
from machine import as_users_run, load_average, machine, markdown_table, where, write
from ours import HIDDEN
from rounds import NOT_INSTALLED, Worker, all_kernels, in_rounds, serve, start, versions

VISIBLE = 784
FLOOR, OURS, AIS = "two matrix products", "harmonium: rbm.gibbs", "harmonium: AIS, a temperature"
BARS = {AIS: 1.8}
"""The most that a line may cost with 100 chains, in floors."""

Sweeps = Callable[[int], None]
"""So many sweeps of all chains."""


@dataclass(frozen=True)
class Arguments:
    """Times a sweep of Gibbs sampling beside its peers'."""

    chains: tuple[int, ...] = (100, 500)
    """Chains that move at once."""
    rounds: int = 9
    """How often each contender is measured."""
    repeats: int = 200
    """Sweeps in one measurement."""
    threads: int = 2
    """Threads of PyTorch and of NumPy."""
    peers: bool = True
    """Whether to run other libraries."""
    json: Path | None = None
    """A file to write the figures to."""
    from_json: Path | None = None
    """A file of figures: print their tables as Markdown, and measure nothing."""

    def __post_init__(self) -> None:
        if not self.chains or min(self.rounds, self.repeats, self.threads, *self.chains) < 1:
            raise ValueError(f"expected at least one chain, round, repeat and thread, found {self}")
        if self.json is not None and not self.json.absolute().parent.is_dir():
            raise ValueError(f"there is no folder for {self.json}")


def begun(chains: int) -> tuple[Tensor, Tensor]:
    """Weights (visible, hidden) and visible states (chains, visible)."""
    generator = torch.Generator().manual_seed(0)
    weight = 0.05 * torch.randn(VISIBLE, HIDDEN, generator=generator)
    return weight, (torch.rand(chains, VISIBLE, generator=generator) < 0.5).float()


def ours(weight: Tensor) -> hm.RBM:
    rbm = hm.RBM(hm.Bernoulli(VISIBLE), hm.Bernoulli(HIDDEN))
    with torch.no_grad():
        rbm.coupling.get_parameter("weight").copy_(weight)
    return rbm


def floor(weight: Tensor, v: Tensor) -> Sweeps:
    h, down = torch.empty(len(v), HIDDEN), torch.empty_like(v)

    def sweeps(count: int) -> None:
        for _ in range(count):
            torch.mm(v, weight, out=h)
            torch.mm(h, weight.t(), out=down)

    return sweeps


def gibbs(weight: Tensor, v: Tensor) -> Sweeps:
    rbm, generator = ours(weight), torch.Generator().manual_seed(0)
    return lambda count: void(rbm.gibbs(v, steps=count, generator=generator))


def ais(weight: Tensor, v: Tensor) -> Sweeps:
    rbm, rates = ours(weight), torch.full((VISIBLE,), 0.5)

    def sweeps(count: int) -> None:
        betas = torch.linspace(0, 1, count + 1, dtype=torch.float64).tolist()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*effective sample size")  # the estimate is not wanted
            hm.likelihood.ais(rbm, chains=len(v), betas=betas, base_rates=rates, seed=0)

    return sweeps


def scikit_learn(weight: Tensor, v: Tensor) -> Sweeps:
    from sklearn.neural_network import BernoulliRBM

    rbm = BernoulliRBM(n_components=HIDDEN, n_iter=1, random_state=0).fit(v.numpy())
    rbm.components_ = np.asfortranarray(weight.T.numpy())  # the order in which it keeps them
    rbm.intercept_visible_, rbm.intercept_hidden_ = np.zeros(VISIBLE, np.float32), np.zeros(HIDDEN, np.float32)

    def sweeps(count: int) -> None:
        states = v.numpy()
        for _ in range(count):
            states = rbm.gibbs(states)

    return sweeps


def rbms(weight: Tensor, v: Tensor) -> Sweeps:
    from rbms.bernoulli_bernoulli.classes import BBRBM

    model = BBRBM(weight, torch.zeros(VISIBLE), torch.zeros(HIDDEN))
    state = model.init_chains(len(v), start_v=v)
    return lambda count: void(model.sample_state(state, n_steps=count))


def learnergy(weight: Tensor, v: Tensor) -> Sweeps:
    from learnergy.models.bernoulli import RBM

    model = RBM(VISIBLE, HIDDEN)

    def sweeps(count: int) -> None:
        model.steps = count
        with torch.no_grad():
            model.gibbs_sampling(v)

    with torch.no_grad():
        model.W.copy_(weight)
    return sweeps


def void(_: object) -> None:
    """Nothing is wanted but that it was done."""


OUR_LINES = {FLOOR: floor, OURS: gibbs, AIS: ais}
PEERS = {"scikit-learn": scikit_learn, "rbms": rbms, "learnergy": learnergy}  # by the name of their distribution


def work(pipe: Connection, key: str, chains: int, args: Arguments) -> None:
    """What a contender's process does."""
    torch.set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        sweeps = {**OUR_LINES, **PEERS}[key](*begun(chains))
        sweeps(10)

        def measure() -> float:
            sweeps(2)  # it slept
            began = time.perf_counter()
            sweeps(args.repeats)
            return 1e3 * (time.perf_counter() - began) / args.repeats

        serve(pipe, key, key in PEERS, measure)


def summary(running: list[Worker], times: dict[str, list[float]], chains: int) -> list[dict[str, Any]]:
    """One row a contender. Ratios are of values of the same round."""
    rows = []
    for worker in running:
        values = np.array(times[worker.name])
        row: dict[str, Any] = {"contender": worker.name, "blas": worker.blas, "median_ms": float(np.median(values))}
        row["values_ms"] = values.tolist()
        row |= {"chain_sweeps_a_second": 1e3 * chains / row["median_ms"], "ratio_to_floor": float(np.median(values / times[FLOOR]))}
        if worker.peer:
            row["ratio_to_harmonium"] = float(np.median(values / times[OURS]))
        if worker.name in BARS and chains == 100:
            row |= {"bar": BARS[worker.name], "holds": row["ratio_to_floor"] <= BARS[worker.name]}
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """The headings and lines of one number of chains."""
    lines = []
    for row in rows:
        bar = f" (at most {row['bar']}{'' if row['holds'] else ': exceeded'})" if "bar" in row else ""
        beside = f"{row['ratio_to_harmonium']:.2f}" if "ratio_to_harmonium" in row else ""
        figures = [f"{row['median_ms']:.3f}", f"{row['chain_sweeps_a_second']:,.0f}", f"{row['ratio_to_floor']:.2f}{bar}", beside]
        lines.append([row["contender"], *figures])
    return ["", "ms a sweep", "chain sweeps a second", "times floor", "times rbm.gibbs"], lines


def markdown(record: dict[str, Any]) -> str:
    """The tables of a file that `--json` wrote, and what they were measured with."""
    text = []
    for chains, rows in record["chains"].items():
        headings, lines = table(rows)
        text += [f"{chains} chains:", "", *markdown_table(headings, lines), ""]
    beside = ", ".join(f"{name} {found}" for name, found in record["peers"].items()) or "no peers"
    blas = "; ".join(all_kernels(row["blas"] for rows in record["chains"].values() for row in rows))
    text.append(f"{where(record['machine'])}, {beside}. BLAS: {blas}.")
    text.append(f"Medians of {record['settings']['rounds']} rounds; commit {record['commit']}; `{record['command']}`.")
    return "\n".join(text)


def main(args: Arguments) -> None:
    if args.from_json is not None:
        print(markdown(json.loads(args.from_json.read_text())))
        return
    torch.set_num_threads(args.threads)
    console = Console(stderr=True)
    busy, began = load_average(console), commit()
    found, results = versions(PEERS if args.peers else ()), {}
    keys = [*OUR_LINES, *(name for name, which in found.items() if which != NOT_INSTALLED)]
    for chains in args.chains:
        running = start(work, keys, chains, args)
        results[str(chains)] = summary(running, in_rounds(running, f"{chains} chains", args.rounds, console), chains)
    settings = {name: value for name, value in asdict(args).items() if name not in ("json", "from_json")}
    record = {"settings": settings, "machine": {**machine(), "load_average_before": busy}, "commit": began}
    record |= {"command": shlex.join(["python", *sys.argv]), "peers": found, "chains": results}
    print(markdown(record))
    if args.json is not None:
        write(args.json, record)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

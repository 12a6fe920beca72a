"""How good an RBM of 500 hidden units becomes on binary MNIST in the same seconds, by Harmonium and by its peers, in one run on the CPU.

    python benchmarks/nats.py --json nats.json --picture docs/images/nats_against_seconds.png
    python benchmarks/nats.py --from-json nats.json       # the tables of docs/benchmarks.md
    python benchmarks/nats.py --search                    # chooses the peers' searched settings, on held-out training cases
    python benchmarks/nats.py --seconds 3 --betas 500     # a quick look

Every contender learns alone, in a process of its own, for the same seconds, by the training loop that its library offers, from the same
60,000 images, binarised once (seed 31). What comes before learning (loading and converting the data, making the machine, a first update
elsewhere, which loads what is loaded late) is not counted; all that a library does while it learns is. The parameters are copied out at
the first update that ends at 2, 5, 10, 20, 40, 60 ... seconds or after. When all have learnt, each copy is judged alike: log Z by
annealed importance sampling with 100 chains from the training images' base rates, and with it the mean log-likelihood of the test
images, binarised once (seed 30). A low effective sample size means that log Z is likely underestimated and the nats too good.

The lines:
- harmonium: `hm.fit` with the quick setting of the recipe mnist-rbm, in float32 and in bfloat16: persistent chains, the centred gradient, a
  rate that falls linearly to zero as the seconds pass, averaged parameters. It knows from the beginning how many seconds it has, so that
  its early copies are not the best that it could do in so little time.
- scikit-learn, as documented: `BernoulliRBM` with its defaults. It has persistent chains, as many as a batch has cases.
- rbms, as documented: `rbms train` with its defaults, those of its README. A centred gradient, scaled to the norm 1. An update is 100
  sweeps of 2,000 chains, and the last may end some seconds late, which are given to it.
- learnergy, as documented: the quick start of its README, with 500 hidden units. It has no persistent chains.
- ebmkit, as documented: the loop of its example, with 500 hidden units. It has no persistent chains of Gibbs sampling in it.
- each but ebmkit, searched: the best of six settings (two sizes of batch or two momenta, several rates: `GRID` in learners.py) after the
  same seconds on held-out training cases. It was asked to learn as well as it can in that time.
The peers that are not installed are named, and left out.
"""

from __future__ import annotations

import json
import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
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
import learners
from harmonium.report import against_time
from harmonium.runs.provenance import commit
from learners import Kept, Parameters, Setting
from machine import as_users_run, kernels, load_average, machine, markdown_table, where, write
from ours import HIDDEN
from rounds import SPAWN, all_kernels

MARKS = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0)  # seconds
TRAINING, TEST = 31, 30  # seeds of the binarisation
HELD_OUT = 10_000
FLOOR = -210.0  # nats; the picture shows none below: independent pixels reach -206


@dataclass(frozen=True)
class Arguments:
    """Nats against seconds of learning, beside other libraries'."""

    seconds: float = 60.0
    """How long each contender learns."""
    betas: int = 5000
    """Inverse temperatures of annealed importance sampling."""
    chains: int = 100
    """Of annealed importance sampling."""
    rows: int = 60_000
    """Training cases."""
    threads: int = 2
    """Threads of PyTorch and of NumPy."""
    seed: int = 0
    """Of every contender."""
    data: Literal["mnist", "random"] = "mnist"
    """Random bits of the same shape can stand in, where MNIST cannot be had: then only the times mean anything."""
    peers: bool = True
    """Whether to run other libraries."""
    search: bool = False
    """Run every setting of the peers' grid without the last 10,000 training cases, and judge it on these."""
    json: Path | None = None
    """A file to write the figures to."""
    picture: Path | None = None
    """A file to draw nats against seconds to."""
    from_json: Path | None = None
    """A file of figures: print their tables as Markdown (and draw them, if a picture is asked for), and measure nothing."""

    def __post_init__(self) -> None:
        if not self.seconds > 0 or min(self.chains, self.threads) < 1 or self.betas < 2 or self.rows < 1000:
            raise ValueError(f"expected some seconds, a chain, a thread, two betas and at least 1000 rows, found {self}")
        if self.search and self.picture is not None:
            raise ValueError("a search ends in a table: draw a run without --search")
        for path in (self.json, self.picture):
            if path is not None and not path.absolute().parent.is_dir():
                raise ValueError(f"there is no folder for {path}")


def marks(seconds: float) -> list[float]:
    """When parameters are copied out: the last time at the end."""
    return [*(mark for mark in MARKS if mark < seconds), seconds]


def load(args: Arguments) -> tuple[Tensor, Tensor, str]:
    """Images to learn from and to be judged on, (cases, 784) bool, and what the latter are."""
    if args.data == "random":
        generator = torch.Generator().manual_seed(0)
        drawn = torch.rand(args.rows + args.rows // 4, 784, generator=generator) < 0.2
        return drawn[: args.rows], drawn[args.rows :], "random bits"
    data = hm.data.mnist.load()
    images = hm.data.binarise(data.train_images[: args.rows], "fixed", seed=TRAINING)
    if args.search:
        held = min(HELD_OUT, args.rows // 6)
        return images[:-held], images[-held:], "held-out training images, binarised once"
    return images, hm.data.binarise(data.test_images, "fixed", seed=TEST), "test images, binarised once"


def contenders(args: Arguments) -> Sequence[Setting]:
    if args.search:
        return learners.GRID
    ours = (learners.ours(), learners.ours("bfloat16"))
    return (*ours, *((*learners.DOCUMENTED, *learners.SEARCHED) if args.peers else ()))


def work(pipe: Connection, setting: Setting, args: Arguments) -> None:
    """What a contender's process does: learns, and sends what it kept, or why it could not."""
    torch.set_num_threads(args.threads)
    try:
        with threadpool_limits(args.threads):
            kept = learners.learn(load(args)[0], setting, marks(args.seconds), args.seed)
            pipe.send((kept, kernels()))
    except ImportError as error:
        pipe.send(f"not installed ({error})")
    except Exception:
        pipe.send(traceback.format_exc())


def run(setting: Setting, args: Arguments) -> tuple[list[Kept], list[str]] | str:
    """What a contender kept, from a process of its own, with its BLAS kernels; or that its library is not installed."""
    pipe, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=work, args=(theirs, setting, args), daemon=True)
    process.start()
    theirs.close()
    answer: tuple[list[Kept], list[str]] | str = pipe.recv()
    process.join()
    if isinstance(answer, str) and not answer.startswith("not installed"):
        raise RuntimeError(f"{setting.name} ({setting.words}) failed:\n{answer}")
    return answer


def judge(parameters: Parameters, judged: Tensor, base_rates: Tensor, args: Arguments) -> dict[str, float]:
    """Nats a case, with log Z, its standard error and the effective sample size. NaN for parameters that diverged."""
    if not all(np.isfinite(part).all() for part in parameters):
        return dict.fromkeys(("nats", "log_z", "standard_error", "ess"), float("nan"))
    rbm = hm.RBM(hm.Bernoulli(len(base_rates)), hm.Bernoulli(HIDDEN))
    with torch.no_grad():
        for name, part in zip(("coupling.weight", "visible.bias", "hidden.bias"), parameters, strict=True):
            rbm.get_parameter(name).copy_(torch.from_numpy(part))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*effective sample size")  # it stands beside the nats
        found = hm.likelihood.ais(rbm, chains=args.chains, betas=args.betas, base_rates=base_rates, seed=args.seed)
    with torch.no_grad():
        nats = hm.likelihood.log_likelihood(rbm, judged, log_z=found.log_z).mean().item()
    return {"nats": nats, "log_z": found.log_z, "standard_error": found.standard_error, "ess": found.ess}


def measure(args: Arguments, console: Console) -> tuple[list[dict[str, Any]], dict[str, str], str]:
    """One row a contender, the libraries' versions or why they are left out, and what the nats are of."""
    learnt, found = [], {}
    for setting in contenders(args):
        with console.status(f"{setting.name}: {setting.words}"):
            answer = run(setting, args)
        if isinstance(answer, str):
            found[setting.library] = answer
            continue
        found[setting.library] = hm.__version__ if setting.library == "harmonium" else version(setting.library)
        learnt.append((setting, *answer))
    images, judged, what = load(args)
    base_rates, rows = images.float().mean(0), []
    for setting, kept, blas in learnt:
        curve = []
        for one in kept[-1:] if args.search else kept:
            with console.status(f"judging {setting.name} after {one.seconds:.0f} s"):
                figures = judge(one.parameters, judged, base_rates, args)
            curve.append({"mark": one.mark, "seconds": one.seconds, "updates": one.updates, **figures})
        rows.append({"contender": setting.name, "blas": blas, "setting": setting.words, **asdict(setting), "curve": curve})
    return rows, found, what


def overtaken(rows: list[dict[str, Any]]) -> None:
    """Adds, for every peer, the first copy of Harmonium's that is at least as good as the peer's last: its seconds, or None."""
    first = next((row for row in rows if row["library"] == "harmonium"), None)
    for row in rows:
        if first is not None and row["library"] != "harmonium":
            last = row["curve"][-1]["nats"]
            row["harmonium_as_good_after"] = next((at["seconds"] for at in first["curve"] if not at["nats"] < last), None)


def table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The headings and lines of what all have come to, the best first in a search."""
    rows = record["contenders"]
    if record["settings"]["search"]:
        rows = sorted(rows, key=lambda row: (row["library"], -np.nan_to_num(row["curve"][-1]["nats"], nan=-np.inf)))
    times = [] if record["settings"]["search"] else marks(record["settings"]["seconds"])[:-1]
    lines = []
    for row in rows:
        at, last = {point["mark"]: f"{point['nats']:.2f}" for point in row["curve"]}, row["curve"][-1]
        good = row.get("harmonium_as_good_after")
        beside = [f"{last['updates']:,}", f"{last['ess']:.0f}", "" if good is None else f"{good:.0f} s"]
        end = [f"{last['nats']:.2f}", f"{last['seconds']:.1f} s", *beside]
        lines.append([row["contender"], row["setting"], *(at.get(mark, "") for mark in times), *end])
    ends = ["nats at the end", "end", "updates", "ESS at the end", "harmonium is as good by"]
    return ["", "learns by", *(f"{mark:g} s" for mark in times), *ends], lines


def show(console: Console, record: dict[str, Any]) -> None:
    """The table on the terminal."""
    headings, lines = table(record)
    drawn = Table(title=f"nats a case: {record['judged_on']}")
    for place, heading in enumerate(headings):
        drawn.add_column(heading, justify="right" if place > 1 else "left")
    for line in lines:
        drawn.add_row(*line)
    console.print(drawn)
    for name, why in record["peers"].items():
        if why.startswith("not"):
            console.print(f"{name}: {why}")


def draw(record: dict[str, Any], path: Path) -> None:
    """Nats against seconds."""
    curves = {row["contender"]: [(point["seconds"], point["nats"]) for point in row["curve"]] for row in record["contenders"]}
    lowest = min((point["nats"] for row in record["contenders"] for point in row["curve"]), default=FLOOR)
    figure = against_time(
        curves,
        label=f"log-likelihood (nats a case): {record['judged_on']}",
        floor=FLOOR if lowest < FLOOR else None,
        title="An RBM of 784 x 500 binary units, the same seconds for all",
    )
    figure.savefig(path, dpi=110)


def markdown(record: dict[str, Any]) -> str:
    """The table of a file that `--json` wrote, and what it was measured with."""
    headings, lines = table(record)
    given = record["settings"]
    versions = ", ".join(f"{name} {found}" for name, found in record["peers"].items())
    nats = f"Nats a case of the {record['judged_on']}; AIS with {given['chains']} chains and {given['betas']:,} betas."
    blas = "; ".join(all_kernels(row["blas"] for row in record["contenders"]))
    made_by = f"{where(record['machine'])}, {versions}. BLAS: {blas}. Commit {record['commit']}; `{record['command']}`."
    return "\n".join([*markdown_table(headings, lines, words=2), "", f"{nats} {made_by}"])


def main(args: Arguments) -> None:
    if args.from_json is not None:
        record = json.loads(args.from_json.read_text())
        print(markdown(record))
    else:
        torch.set_num_threads(args.threads)
        console = Console(width=None if sys.stdout.isatty() else 200)
        busy = load_average(console)
        began = commit()
        rows, found, what = measure(args, console)
        overtaken(rows)
        settings = {name: value for name, value in asdict(args).items() if name not in ("json", "picture", "from_json")}
        on = {**machine(), "load_average_before": busy}
        record = {
            "settings": settings,
            "machine": on,
            "commit": began,
            "command": shlex.join(["python", *sys.argv]),
            "peers": found,
            "judged_on": what,
        }
        record["contenders"] = rows
        show(console, record)
        console.print(f"{args.threads} threads. Machine: {on}")
        if args.json is not None:
            write(args.json, record)
    if args.picture is not None:
        draw(record, args.picture)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

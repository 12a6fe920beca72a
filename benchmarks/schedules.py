"""What the inverse temperatures and the base of annealed importance sampling are worth, at equal cost, on several machines.

    python benchmarks/schedules.py --json schedules.json
    python benchmarks/schedules.py --from-json schedules.json                             # the tables of docs/benchmarks.md
    python benchmarks/schedules.py --machines digits-8 --betas 100 --seeds 1              # a quick look

The machines are learnt first, as the recipe mnist-rbm learns: persistent CD with 200 chains, the centred gradient, a rate that falls
linearly to zero, averaged parameters. Each is then annealed with the same number of betas and chains by every schedule and from every base,
several seeds each. What is shown of them:
- ESS: the effective sample size of the chains' weights, its geometric mean over the seeds.
- spread: half the distance between the 16th and the 84th percentile of what each chain alone makes of log Z, in nats. It is steadier than
  the ESS, which the luck of one chain makes or breaks.
- error: the root mean square of log Z less the truth, in nats. The truth is exact for machines of 25 hidden units; for the others it is
  what twice `reference` betas make of it, half of them from the base rates and half from the uniform base.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import tyro
from rich.console import Console
from torch import Tensor

import harmonium as hm
from harmonium.likelihood import Estimate
from harmonium.runs.provenance import commit
from machine import as_users_run, machine, write

PIXELS = 31  # the seed of the binarisation
FIGURES = {"ess": "ESS", "spread": "spread, nats", "error": "error, nats"}


class Plan(NamedTuple):
    """Data to learn from, hidden units and epochs."""

    data: Callable[[], Tensor]
    hidden: int
    epochs: int


def mnist() -> Tensor:
    return hm.data.binarise(hm.data.mnist.load().train_images, "fixed", seed=PIXELS)


def digits() -> Tensor:
    return hm.data.binarise(hm.data.digits.load().train_images, "threshold")


def density(name: str) -> Tensor:
    return hm.data.binary_density.load(name).train


MACHINES = {
    "mnist-500, 3 epochs": Plan(mnist, 500, 3),
    "mnist-500, 10 epochs": Plan(mnist, 500, 10),
    "mnist-500, 30 epochs": Plan(mnist, 500, 30),
    "mnist-100, 10 epochs": Plan(mnist, 100, 10),
    "mnist-25, 10 epochs": Plan(mnist, 25, 10),
    "digits-100, 200 epochs": Plan(digits, 100, 200),
    "digits-25, 200 epochs": Plan(digits, 25, 200),
    "dna-100, 100 epochs": Plan(partial(density, "dna"), 100, 100),
    "bnetflix-100, 20 epochs": Plan(partial(density, "bnetflix"), 100, 20),
}
QUICK = {"digits-8, 2 epochs": Plan(digits, 8, 2)}
"""For a quick look, not in the tables."""


def proportions(betas: int) -> Tensor:
    """500 to 0.5, 4,000 to 0.9 and 10,000 to 1 of each 14,500 (Salakhutdinov & Murray 2008)."""
    places = np.linspace(0, 1, betas)
    return torch.from_numpy(np.interp(places, [0, 500 / 14500, 4500 / 14500, 1], [0, 0.5, 0.9, 1]))


def linear(betas: int) -> Tensor:
    return torch.linspace(0, 1, betas, dtype=torch.float64)


def sigmoid(betas: int) -> Tensor:
    """Evenly along a logistic function from -4 to 4 (Grosse, Ghahramani & Adams 2015)."""
    path = torch.sigmoid(torch.linspace(-4, 4, betas, dtype=torch.float64))
    return (path - path[0]) / (path[-1] - path[0])


SCHEDULES: dict[str, Callable[[int], Tensor]] = {"proportions": proportions, "linear": linear, "sigmoid": sigmoid}

BASES: dict[str, Callable[[Tensor], Tensor | None]] = {
    "base rates": lambda rates: rates,
    "uniform": lambda rates: torch.full_like(rates, 0.5),
    "own samples": lambda rates: None,
}
"""Visible means of the base: those of the data, uniform, those of a short Gibbs run of the machine, which are the default of `ais`."""


@dataclass(frozen=True)
class Arguments:
    """Effective sample sizes of annealing under several schedules and bases, at equal cost."""

    machines: tuple[str, ...] = tuple(MACHINES)
    """Names, or what they begin with; "digits-8" for a quick look."""
    betas: int = 2000
    """Of every run."""
    chains: int = 100
    """Of every run."""
    seeds: int = 6
    """Runs of each."""
    reference: int = 20_000
    """Betas of each of the two runs that stand for the truth where it is not known."""
    threads: int = 1
    """Of PyTorch."""
    json: Path | None = None
    """A file to write the figures to."""
    from_json: Path | None = None
    """A file of figures: print their tables as Markdown, and measure nothing."""


def learnt(plan: Plan) -> tuple[hm.RBM, Tensor]:
    """The averaged machine, and the data's base rates."""
    data = plan.data()
    rbm = hm.RBM(hm.Bernoulli(data.shape[1]), hm.Bernoulli(plan.hidden))
    state = hm.fit(
        rbm,
        data,
        negative=hm.PersistentCD(chains=200),
        epochs=plan.epochs,
        batch_size=min(200, len(data) // 10),
        optimizer=partial(hm.learning.MomentumSGD, lr=0.2),
        schedule=partial(hm.learning.Schedule, lr=lambda epoch: 1 - epoch / plan.epochs),
        gradient="centred",
        averaging=0.03,
        seed=0,
        progress=False,
    )
    averaged = state.averaged()
    assert isinstance(averaged, hm.RBM)
    return averaged, data.float().mean(0)


def annealed(rbm: hm.RBM, path: Tensor, base: Tensor | None, chains: int, seed: int) -> Estimate:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*effective sample size")  # it is what is measured
        return hm.likelihood.ais(rbm, betas=path.tolist(), base_rates=base, chains=chains, seed=seed)


def centred(one: Estimate) -> Tensor:
    """The logarithm of the estimate of Z that each chain alone gives, (chains,)."""
    return one.log_weights - one.log_weights.logsumexp(0) + math.log(len(one.log_weights)) + one.log_z


def truth(rbm: hm.RBM, rates: Tensor, args: Arguments) -> tuple[float, float]:
    """log Z and its standard error."""
    if rbm.hidden.count <= 2**25:
        return hm.likelihood.exact_log_z(rbm), 0.0
    two = [annealed(rbm, sigmoid(args.reference), BASES[base](rates), args.chains, args.seeds) for base in ("base rates", "uniform")]
    values = torch.tensor([one.log_z for one in two], dtype=torch.float64)
    shares = torch.softmax(values, dim=0)  # the mean of two estimates of Z
    return (values.logsumexp(0) - math.log(2)).item(), math.hypot(
        *(s * one.standard_error for s, one in zip(shares.tolist(), two, strict=True))
    )


def measure(name: str, args: Arguments, console: Console) -> dict[str, Any]:
    """The figures of one machine."""
    rbm, rates = learnt({**MACHINES, **QUICK}[name])
    log_z, error = truth(rbm, rates, args)
    console.print(f"{name}: log Z {log_z:.2f} ± {error:.2f}")
    rows = []
    for schedule, path in SCHEDULES.items():
        for base, means in BASES.items():
            found = [annealed(rbm, path(args.betas), means(rates), args.chains, seed) for seed in range(args.seeds)]
            ess, log_zs = np.array([one.ess for one in found]), np.array([one.log_z for one in found])
            low, high = np.percentile(torch.cat([centred(one) for one in found]), [16, 84])
            row = {
                "schedule": schedule,
                "base": base,
                "log_z": log_zs.tolist(),
                "ess_of_each": ess.tolist(),
                "ess": math.exp(np.log(ess).mean()),
                "spread": (high - low) / 2,
                "error": math.sqrt(np.square(log_zs - log_z).mean()),
            }
            rows.append(row)
            console.print(f"  {schedule}, {base}: ESS {row['ess']:.1f}, spread {row['spread']:.2f}, error {row['error']:.2f}")
    return {"machine": name, "log_z": log_z, "log_z_error": error, "rows": rows}


def markdown(record: dict[str, Any]) -> str:
    """The tables of a file that `--json` wrote, and what it was measured with."""
    machines, given, on = record["machines"], record["settings"], record["machine"]
    text = []
    for figure, places in (("ess", 1), ("spread", 2), ("error", 2)):
        text += ["| " + " | ".join([FIGURES[figure], *(one["machine"] for one in machines)]) + " |"]
        text += ["| " + " | ".join(["---", *["---:"] * len(machines)]) + " |"]
        for number, row in enumerate(machines[0]["rows"]):
            cells = [f"{one['rows'][number][figure]:.{places}f}" for one in machines]
            text.append("| " + " | ".join([f"{row['schedule']}, {row['base']}", *cells]) + " |")
        text.append("")
    log_zs = ", ".join(
        f"{one['machine']} {one['log_z']:.2f}" + (f" ± {one['log_z_error']:.2f}" if one["log_z_error"] else "") for one in machines
    )
    text.append(f"log Z: {log_zs}.")
    text.append("")
    text.append(
        f"{given['chains']} chains, {given['betas']:,} betas, {given['seeds']} seeds; {on['cpu']}, torch {on['torch']}; commit "
        f"{record['commit']}; `{record['command']}`."
    )
    return "\n".join(text)


def main(args: Arguments) -> None:
    if args.from_json is not None:
        print(markdown(json.loads(args.from_json.read_text())))
        return
    torch.set_num_threads(args.threads)
    console, began = Console(width=200), commit()
    settings = {key: value for key, value in asdict(args).items() if key not in ("json", "from_json")}
    record = {"settings": settings, "machine": machine(), "commit": began, "command": shlex.join(["python", *sys.argv]), "machines": []}
    for name in (name for name in [*MACHINES, *QUICK] if name.startswith(args.machines)):
        record["machines"].append(measure(name, args, console))
        if args.json is not None:
            write(args.json, record)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

"""What `hm.fit` learns with nothing named, beside the best of a small search over learning rates, for many data sets and pairs of units.

    python benchmarks/defaults.py --updates 300 --json defaults-300.json
    python benchmarks/defaults.py --updates 30000 --rates 0.0001 0.001 0.01 0.1  # fewer rates for long trainings
    python benchmarks/defaults.py --smoke                      # a quick look

Each line is one data set and one pair of units, with exact log-likelihoods of held-out cases. The search is over SGD with momentum 0.9, the
plain gradient, nine rates from 0.0001 to 1 in steps of √10, each both constant and falling linearly to zero; the best is chosen on the
held-out cases themselves, which favours the search. The search learns by CD-1, the default by its own rule, for equally many updates. A
line gives the mean over seeds of the default, and the share of the search's gain over base rates that it reaches: (default - base) / (best
- base).
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from sklearn import datasets

import harmonium as hm
from harmonium.data import binary_density
from harmonium.learning.loop.falling import LinearFall
from machine import as_users_run, machine, write

RATES = tuple(float(f"{rate:.1g}") for rate in np.logspace(-4, 0, 9))
HELD = 2000  # most held-out cases
Data = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Arguments:
    """Shares of the best gain that the default settings reach."""

    updates: int = 300
    """Updates of each training."""
    seeds: int = 5
    """Of the default."""
    search_seeds: int = 1
    """Of each rate of the search; 0 for the defaults alone."""
    rates: tuple[float, ...] = RATES
    """Of the search."""
    chains: int | None = None
    """The defaults learn by persistent chains, so many; 0 for CD-1; by default by the rule that `fit` chooses."""
    greedy: bool = False
    """Deep machines learn one layer at a time first, each for as many updates."""
    only: tuple[str, ...] = ()
    """Lines to measure, by name; all by default."""
    threads: int = 1
    """Of PyTorch."""
    smoke: bool = False
    """Few of everything: whether it runs."""
    json: Path | None = None
    """A file to write the figures to."""


def split(rows: np.ndarray) -> Data:
    """Four fifths to learn from, the rest held out."""
    found = torch.as_tensor(np.asarray(rows, dtype=np.float32))
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0))
    cut = max(len(found) * 4 // 5, len(found) - HELD)
    return found[order[:cut]], found[order[cut:]]


def density(name: str) -> Data:
    """One of the binary sets: its training cases and some of its validation cases."""
    found = binary_density.load(name)
    return found.train.float(), found.valid[:HELD].float()


def quartiles() -> Data:
    """Which quarter of its range each measurement of a wine is in."""
    rows = datasets.load_wine().data
    quarter = (rows[None] > np.quantile(rows, [0.25, 0.5, 0.75], axis=0)[:, None]).sum(0)
    return split(np.eye(4)[quarter].reshape(len(rows), -1))


def clusters() -> Data:
    """Six clusters in twenty dimensions, far from zero."""
    draws = np.random.default_rng(0)
    return split(5 + 3 * (2 * draws.normal(size=(6, 20))[draws.integers(6, size=3000)] + draws.normal(size=(3000, 20))))


SETS: dict[str, Callable[[], Data]] = {
    **{name: partial(density, name) for name in ("nltcs", "plants", "mushrooms", "voting", "dna")},
    "digits": lambda: split(datasets.load_digits().data > 7),
    "levels": lambda: split(datasets.load_digits().data),
    "wine": lambda: split(datasets.load_wine().data),
    "quartiles": quartiles,
    "tumours": lambda: split(datasets.load_breast_cancer().data),
    "diabetes": lambda: split(datasets.load_diabetes().data),
    "clusters": clusters,
}
read = lru_cache(None)(lambda name: SETS[name]())
real = partial(hm.Gaussian, learn_variance=True)
LINES: dict[str, tuple[str, Callable[[], hm.Unit], Callable[[], hm.Unit]]] = {
    "nltcs, binary": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Bernoulli(12)),
    "plants, binary": ("plants", lambda: hm.Bernoulli(69), lambda: hm.Bernoulli(12)),
    "mushrooms, binary": ("mushrooms", lambda: hm.Bernoulli(112), lambda: hm.Bernoulli(12)),
    "voting, binary": ("voting", lambda: hm.Bernoulli(1359), lambda: hm.Bernoulli(10)),
    "dna, binary": ("dna", lambda: hm.Bernoulli(180), lambda: hm.Bernoulli(10)),
    "digits, binary": ("digits", lambda: hm.Bernoulli(64), lambda: hm.Bernoulli(12)),
    "nltcs, spins": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Spin(12)),
    "nltcs, softmax": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Softmax(3, categories=4)),
    "nltcs, binomial": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Binomial(8, copies=4)),
    "nltcs, Gaussian": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Gaussian(6)),
    "nltcs, truncated Gaussian": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.TruncatedGaussian(8)),
    "nltcs, stepped sigmoid": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.SteppedSigmoid(8)),
    "nltcs, Poisson": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Poisson(8)),
    "nltcs, exponential": ("nltcs", lambda: hm.Bernoulli(16), lambda: hm.Exponential(8)),
    "wine, Gaussian-binary": ("wine", lambda: real(13), lambda: hm.Bernoulli(10)),
    "tumours, Gaussian-binary": ("tumours", lambda: real(30), lambda: hm.Bernoulli(10)),
    "diabetes, Gaussian-binary": ("diabetes", lambda: real(10), lambda: hm.Bernoulli(8)),
    "clusters, Gaussian-binary": ("clusters", lambda: real(20), lambda: hm.Bernoulli(8)),
    "clusters, Gaussian-softmax": ("clusters", lambda: real(20), lambda: hm.Softmax(1, categories=8)),
    "wine, Gaussian-Gaussian": ("wine", lambda: real(13), lambda: hm.Gaussian(3)),
    "levels, Poisson-binary": ("levels", lambda: hm.Poisson(64), lambda: hm.Bernoulli(12)),
    "levels, binomial-binary": ("levels", lambda: hm.Binomial(64, copies=16), lambda: hm.Bernoulli(12)),
    "levels, binomial-softmax": ("levels", lambda: hm.Binomial(64, copies=16), lambda: hm.Softmax(1, categories=10)),
    "quartiles, softmax-binary": ("quartiles", lambda: hm.Softmax(13, categories=4), lambda: hm.Bernoulli(10)),
}
DEEP = {f"{name}, deep": (name, (count, 12, 8)) for name, count in (("nltcs", 16), ("plants", 69), ("mushrooms", 112), ("digits", 64))}
"""Deep Boltzmann machines of binary units, by data set and layers' sizes; in nats of the variational bound, with exact log Z."""


def data_of(line: str) -> Data:
    """A line's training and held-out cases."""
    return read((DEEP if line in DEEP else LINES)[line][0])


def made(line: str, seed: int = 0) -> hm.RBM | hm.DBM:
    """A line's machine, which has learnt nothing."""
    if line in DEEP:
        return hm.DBM([hm.Bernoulli(units) for units in DEEP[line][1]], seed=seed)
    _, visible, hidden = LINES[line]
    return hm.RBM(visible(), hidden(), seed=seed)


def nats(model: hm.RBM | hm.DBM, rows: torch.Tensor) -> float:
    """The exact mean log-likelihood, or its bound, or NaN for a machine that has none."""
    try:
        log_z = hm.likelihood.exact_log_z(model.machine)
    except ValueError:
        return math.nan
    if isinstance(model, hm.DBM):
        return hm.likelihood.dbm_bound(model, rows, log_z=log_z).mean
    return float(hm.likelihood.log_likelihood(model, rows, log_z=log_z).mean())


def stacked(line: str, updates: int, seed: int) -> hm.DBM:
    """A deep line's machine, whose layers have learnt one at a time."""
    return hm.greedy_dbm(data_of(line)[0], made(line, seed).layers, updates=updates, seed=seed, progress=False)


def learnt(line: str, updates: int, seed: int, greedy: bool = False, **settings: object) -> float:
    """Held-out nats after so many updates; NaN if learning diverged."""
    rows, held = data_of(line)
    model = stacked(line, updates, seed) if greedy and line in DEEP else made(line, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            hm.fit(model, rows, updates=updates, seed=seed, progress=False, **settings)
        except FloatingPointError:
            return math.nan
    return nats(model, held)


def base_rates(line: str) -> float:
    """Held-out nats of independent units."""
    model, (rows, held) = made(line), data_of(line)
    model.visible.init_from(rows)
    for parameter in model.machine.coupling.parameters():
        parameter.detach().zero_()
    return nats(model, held)


def main(args: Arguments) -> None:
    updates, seeds, rates = (20, 1, RATES[4:5]) if args.smoke else (args.updates, args.seeds, args.rates)
    torch.set_num_threads(args.threads)
    console = Console(width=None if sys.stdout.isatty() else 120)
    names = args.only or (("digits, binary", "wine, Gaussian-binary") if args.smoke else (*LINES, *DEEP))
    table, rows = Table(title=f"{updates} updates"), []
    for heading in ("", "base rates", "default", "best of the search", "its rate", "share of the gain"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for line in names:
        base = base_rates(line)
        rule = {} if args.chains is None else {"negative": hm.PersistentCD(args.chains) if args.chains else hm.ContrastiveDivergence()}
        ours = [learnt(line, updates, seed, greedy=args.greedy, **rule) for seed in range(seeds)]
        found = {}
        for rate in rates if args.search_seeds else ():
            for falls in (False, True):
                settings = {"optimizer": partial(hm.MomentumSGD, lr=rate, momentum=0.9), "callbacks": [LinearFall(rate)] if falls else []}
                values = [learnt(line, updates, seed, **settings) for seed in range(args.search_seeds)]
                found[f"{rate:g}{', falling' if falls else ''}"] = float(np.mean(values))
        best = max((name for name in found if math.isfinite(found[name])), key=lambda name: found[name], default="")
        shares = [(each - base) / (found[best] - base) for each in ours] if best else []
        searched = (f"{found[best]:.3f}", best, f"{np.mean(shares):.2f}") if best else ("", "no search", "")
        table.add_row(line, f"{base:.3f}", f"{np.mean(ours):.3f} ± {np.std(ours):.3f}", *searched)
        rows.append({"line": line, "base": base, "default": ours, "search": found, "best": best, "shares": shares})
        if args.json is not None:
            write(args.json, {"settings": {k: v for k, v in asdict(args).items() if k != "json"}, "machine": machine(), "lines": rows})
        if not args.smoke:
            console.print(f"{line}: {searched[-1] or np.round(ours, 3)}")
    console.print(table)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

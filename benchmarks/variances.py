"""What is won where the variances of a layer of data are learnt, held-out nats, with all else at its default.

    python benchmarks/variances.py --json variances.json

Rectified data: a machine of `TruncatedGaussian` visible units and 8 binary hidden ones learns with a fixed variance of 1 and with learnt
variances; the exact mean log-likelihood of the held-out cases, before (independent units) and after.

Stacks: a machine with 4 Gaussian hidden units learns raw real-valued data, and a second one with 6 binary hidden units learns the means of
these. The variance of the layer between them, as the second machine's visible one, is fixed at 1, or learnt as `hm.greedy` has it (at least
1). The figure is the variational
bound on the mean log-likelihood of the held-out cases, E[log p(v | h) + log p(h) - log q(h | v)] over 100 samples of q(h | v) = p(h | v) of
the first machine for each case. Beside it stands the exact log-likelihood of the first machine alone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from sklearn import datasets

import harmonium as hm
from machine import as_users_run, machine, write


@dataclass(frozen=True)
class Arguments:
    """Learnt and fixed variances."""

    updates: int = 3000
    """Updates of each training."""
    seeds: int = 2
    """Of each line."""
    samples: int = 100
    """Of the hidden units for each held-out case of a stack."""
    only: tuple[str, ...] = ()
    """Lines to measure, by name; all by default."""
    threads: int = 1
    """Of PyTorch."""
    json: Path | None = None
    """A file to write the figures to."""


def clusters(scale: float = 1.0, place: float = 0.0) -> np.ndarray:
    """1,000 cases of three clusters in eight columns."""
    draw = np.random.default_rng(3)
    centres = np.eye(3)[draw.integers(3, size=1000)] @ np.abs(3 * draw.normal(size=(3, 8)))
    return scale * np.abs(place + centres + 0.3 * draw.normal(size=centres.shape))


def zeros() -> np.ndarray:
    """1,000 cases of six mixtures of normal numbers, negative ones set to zero."""
    draw = np.random.default_rng(4)
    return np.maximum(draw.normal(size=(1000, 6)) @ draw.normal(size=(6, 6)), 0)


def standard(rows: np.ndarray) -> np.ndarray:
    """Columns divided by their standard deviations."""
    return rows / rows.std(0)


def pixels() -> np.ndarray:
    """The 4 x 4 pixels in the middle of scikit-learn's digits, from 0 to 1."""
    return datasets.load_digits().images[:, 2:6, 2:6].reshape(-1, 16) / 16


RECTIFIED: dict[str, Callable[[], np.ndarray]] = {
    "wine, divided by standard deviations": lambda: standard(datasets.load_wine().data),
    "tumours, divided by standard deviations": lambda: standard(datasets.load_breast_cancer().data),
    "tumours, raw": lambda: datasets.load_breast_cancer().data,
    "6 exponential columns": lambda: np.random.default_rng(0).exponential(size=(1000, 6)),
    "6 log-normal columns": lambda: np.random.default_rng(1).lognormal(size=(1000, 6)),
    "6 half-normal columns": lambda: np.abs(np.random.default_rng(2).normal(size=(1000, 6))),
    "16 pixels of digits, 0 to 1": pixels,
    "three clusters in 8 columns": clusters,
    "the same, times 100": lambda: clusters(scale=100),
    "the same, divided by 100": lambda: clusters(scale=0.01),
    "the same, 10 further from zero": lambda: clusters(place=10),
    "6 columns, half of the values zero": zeros,
}
STACKS: dict[str, Callable[[], np.ndarray]] = {
    "stack, wine": lambda: datasets.load_wine().data,
    "stack, tumours": lambda: datasets.load_breast_cancer().data,
    "stack, diabetes": lambda: datasets.load_diabetes(scaled=False).data,
}


def split(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Four fifths to learn from, the rest held out."""
    order = np.random.default_rng(5).permutation(len(rows))
    found = torch.tensor(rows[order], dtype=torch.float32)
    return found[: len(found) * 4 // 5], found[len(found) * 4 // 5 :]


def nats(rbm: hm.RBM, rows: torch.Tensor) -> torch.Tensor:
    """The exact log-likelihood of each case."""
    return hm.likelihood.log_likelihood(rbm, rows, log_z=hm.likelihood.exact_log_z(rbm))


@torch.no_grad()
def before(units: hm.Unit, rows: torch.Tensor, held: torch.Tensor) -> float:
    """Held-out nats of independent units."""
    units.init_from(rows)
    return float(units.log_probability(held, units.zero_input()).mean())


def rectified(name: str, learn: bool, seed: int, args: Arguments) -> tuple[float, float]:
    """Held-out nats of independent units, and after learning."""
    rows, held = split(RECTIFIED[name]())
    rbm = hm.RBM(hm.TruncatedGaussian(rows.shape[1], learn_variance=learn), 8, seed=seed)
    hm.fit(rbm, rows, updates=args.updates, seed=seed, progress=False)
    return before(hm.TruncatedGaussian(rows.shape[1], learn_variance=learn), rows, held), float(nats(rbm, held).mean())


def stacked(name: str, learn: bool, seed: int, args: Arguments) -> tuple[float, float]:
    """Held-out nats of the first machine, and the bound of the net of both."""
    rows, held = split(STACKS[name]())
    low = hm.RBM(hm.Gaussian(rows.shape[1]), hm.Gaussian(4), seed=seed)
    hm.fit(low, rows, updates=args.updates, seed=seed, progress=False)
    top = hm.RBM(low.hidden.as_visible_layer() if learn else hm.Gaussian(4, learn_variance=False), 6, seed=seed)
    hm.fit(top, hm.learning.features(rows, low), updates=args.updates, seed=seed, progress=False)
    v = held.repeat(args.samples, 1)
    h = low.sample_hidden(v, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        bound = low.visible.log_probability(v, low.visible_input(h)) + nats(top, h)
        bound = bound - low.hidden.log_probability(h, low.hidden_input(v))
    return float(nats(low, held).mean()), float(bound.mean())


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore", hm.Advice)
    console = Console(width=None if sys.stdout.isatty() else 120)
    table, lines = Table(title=f"{args.updates} updates"), []
    for heading in ("", "before, fixed", "fixed", "before, learnt", "learnt"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for name in args.only or (*RECTIFIED, *STACKS):
        measure = rectified if name in RECTIFIED else stacked
        found = {learn: [measure(name, learn, seed, args) for seed in range(args.seeds)] for learn in (False, True)}
        table.add_row(name, *(f"{value:.2f}" for values in found.values() for value in np.mean(values, axis=0)))
        lines.append({"line": name, "fixed": found[False], "learnt": found[True]})
        if args.json is not None:
            write(args.json, {"settings": {k: v for k, v in asdict(args).items() if k != "json"}, "machine": machine(), "lines": lines})
    console.print(table)


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

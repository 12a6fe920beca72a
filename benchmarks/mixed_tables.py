"""Gaps filled and anomalies found in scikit-learn's bundled tables, by an RBM and by scikit-learn's imputers and its isolation forest.

    python benchmarks/mixed_tables.py --json tables.json

Gaps: 20 % of all cells are removed at random, differently for each seed. The tables are wine (13 real columns, cultivar), diabetes (10 real
columns, sex), breast cancer (10 real columns, the means of the measurements; diagnosis) and 800 digits (24 central pixels, each a count of
inked points from 0 to 16, and the label). The error of a number is the root mean square over the column's standard deviation, that of a
label the share of wrong ones; both are means over the columns of a kind.

The RBM learns from the rows with gaps by persistent CD with 500 chains and Adam, 0.01 (digits: 0.005) falling to zero, parameters averaged
over the last tenth. Its hidden units, number of updates and batches were chosen on the gaps of seed 0, which is not among the seeds
measured. Counts are of kind "real" here, since few pixels are shaped like a Poisson or binomial distribution. `KNNImputer` and
`IterativeImputer` have their defaults (20 iterations), standardised columns, and labels as one-hot columns; "codes" is with labels as
numbers, rounded.

Anomalies: a machine and a forest learn from half of the normal rows, and are judged by the area under the ROC curve on the other half and
all anomalies. Normal are benign tumours (30 real columns), wines of the first two cultivars, and the digits zero. The machine has 8 binary
hidden units. Its score is minus the log-probability.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from sklearn import datasets
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.metrics import roc_auc_score

import harmonium as hm
from machine import as_users_run, load_average, machine, markdown_table, where, write

SHARE = 0.2


@dataclass(frozen=True)
class Arguments:
    """Imputation and anomalies in tables."""

    tables: tuple[str, ...] = ("wine", "diabetes", "cancer", "digits")
    """Tables with gaps."""
    first: int = 1
    """The first seed."""
    seeds: int = 5
    """How many seeds."""
    updates: int | None = None
    """Updates of each machine instead of those chosen, to try the script."""
    threads: int = 1
    """Of PyTorch."""
    anomalies: bool = True
    """Look for anomalies too."""
    json: Path | None = None
    """A file to write the figures to."""


@dataclass(frozen=True)
class Problem:
    """A whole table. `numbers`: what its columns of numbers are called in the result."""

    frame: pd.DataFrame
    kinds: dict[str, str]
    numbers: str
    hidden: Callable[[], hm.Unit]
    updates: int
    batch: int
    rate: float


def problem(name: str) -> Problem:
    if name == "wine":
        wine = datasets.load_wine(as_frame=True)
        kinds = dict.fromkeys(wine.data, "real") | {"cultivar": "categorical"}
        frame = wine.data.assign(cultivar=[f"cultivar {number}" for number in wine.target])
        return Problem(frame, kinds, "real", lambda: hm.Bernoulli(50), 3000, 200, 0.01)
    if name == "diabetes":
        diabetes = datasets.load_diabetes(as_frame=True, scaled=False)
        kinds = dict.fromkeys([*diabetes.data, "progression"], "real") | {"sex": "binary"}
        frame = diabetes.data.assign(sex=diabetes.data["sex"].astype(int).map({1: "one", 2: "two"}), progression=diabetes.target)
        return Problem(frame, kinds, "real", lambda: hm.Groups(hm.Gaussian(8), hm.Bernoulli(16)), 4000, 200, 0.01)
    if name == "cancer":
        cancer = datasets.load_breast_cancer(as_frame=True)
        means = cancer.data.iloc[:, :10]
        frame = means.assign(diagnosis=np.where(cancer.target == 0, "malignant", "benign"))
        kinds = dict.fromkeys(means, "real") | {"diagnosis": "binary"}
        return Problem(frame, kinds, "real", lambda: hm.Groups(hm.Gaussian(10), hm.Bernoulli(20)), 4000, 200, 0.01)
    digits = datasets.load_digits()
    central = [8 * row + column for row in range(1, 7) for column in range(2, 6)]
    pixels = pd.DataFrame(digits.data[:800][:, central], columns=[f"pixel {place}" for place in central])
    frame = pixels.assign(digit=[str(label) for label in digits.target[:800]])
    kinds = dict.fromkeys(pixels, "real") | {"digit": "categorical"}
    return Problem(frame, kinds, "count", lambda: hm.Bernoulli(200), 6000, 100, 0.005)


def learnt(table: hm.data.Table, hidden: hm.Unit, *, updates: int, batch: int, rate: float, chains: int, seed: int) -> hm.RBM:
    """A machine of the table, with the mean of its last parameters."""
    rbm = hm.RBM(table.visible, hidden, seed=seed)
    epochs = math.ceil(updates / math.ceil(len(table) / batch))
    state = hm.fit(
        rbm,
        table.rows,
        given=table.given,
        negative=hm.PersistentCD(chains=chains),
        optimizer=lambda groups: torch.optim.Adam(groups, lr=rate),
        schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: max(0.01, 1 - epoch / epochs)),
        sweeps=1,
        epochs=epochs,
        batch_size=batch,
        averaging=0.1,
        seed=seed,
        progress=False,
    )
    return state.averaged()


def standardised(fill: Any, rows: np.ndarray) -> np.ndarray:
    """What an imputer makes of rows with NaN, in standardised columns."""
    centre, scale = np.nanmean(rows, 0), np.nanstd(rows, 0)
    scale[scale == 0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 20 iterations do not converge
        found: np.ndarray = fill.fit_transform((rows - centre) / scale) * scale + centre
    return found


def by_scikit_learn(table: hm.data.Table, seed: int) -> dict[str, np.ndarray]:
    """Means of the units by each imputer: (rows, units)."""
    rows = table.rows.double().numpy()
    codes = np.column_stack([rows[:, c.start] if c.kind != "categorical" else _codes(rows[:, c.units]) for c in table.columns])
    found = {"nearest neighbours": standardised(KNNImputer(), rows)}
    found["iterative"] = standardised(IterativeImputer(random_state=seed, max_iter=20), rows)
    for name, fill in (("nearest neighbours, codes", KNNImputer()), ("iterative, codes", IterativeImputer(random_state=seed, max_iter=20))):
        filled = standardised(fill, codes)
        found[name] = np.column_stack(
            [
                filled[:, [place]]
                if c.kind != "categorical"
                else np.eye(c.code.width)[filled[:, place].round().clip(0, c.code.width - 1).astype(int)]
                for place, c in enumerate(table.columns)
            ]
        )
    return found


def _codes(one_hot: np.ndarray) -> np.ndarray:
    codes = one_hot.argmax(1).astype(float)
    codes[np.isnan(one_hot[:, 0])] = np.nan
    return codes


def errors(table: hm.data.Table, whole: torch.Tensor, found: np.ndarray, numbers: str) -> dict[str, float]:
    """The mean error of the columns of each kind, at the gaps."""
    each: dict[str, list[float]] = {}
    for column in table.columns:
        gap = table.rows[:, column.start].isnan().numpy()
        truth, guess = whole.double().numpy()[:, column.units], found[:, column.units]
        if column.kind == "real":
            each.setdefault(numbers, []).append(float(np.sqrt(np.square(guess - truth)[gap].mean()) / truth.std()))
        else:
            wrong = guess.argmax(1) != truth.argmax(1) if column.kind == "categorical" else ((guess > 0.5) != (truth > 0.5))[:, 0]
            each.setdefault(column.kind, []).append(float(wrong[gap].mean()))
    return {kind: float(np.mean(values)) for kind, values in each.items()}


def imputation(name: str, seed: int, updates: int | None) -> dict[str, dict[str, float]]:
    """Each method's errors by kind."""
    chosen = problem(name)
    rules = hm.data.from_frame(chosen.frame, chosen.kinds)
    gaps = np.random.default_rng(seed).random(chosen.frame.shape) < SHARE
    table = rules.encode(chosen.frame.mask(gaps))
    began = time.perf_counter()
    rbm = learnt(table, chosen.hidden(), updates=updates or chosen.updates, batch=chosen.batch, rate=chosen.rate, chains=500, seed=seed)
    ours = hm.impute(rbm, table, seed=seed).mean.double().numpy()
    seconds = time.perf_counter() - began
    methods = {"harmonium": ours, **by_scikit_learn(table, seed)}
    found = {method: errors(table, rules.rows, each, chosen.numbers) for method, each in methods.items()}
    found["harmonium"]["seconds"] = seconds
    return found


def normal_rows(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A table without labels, and which rows are normal."""
    if name == "benign tumours":
        cancer = datasets.load_breast_cancer(as_frame=True)
        return cancer.data, (cancer.target == 1).to_numpy()
    if name == "two cultivars":
        wine = datasets.load_wine(as_frame=True)
        return wine.data, (wine.target != 2).to_numpy()
    digits = datasets.load_digits(as_frame=True)
    return digits.data.loc[:, digits.data.nunique() > 2], (digits.target == 0).to_numpy()


def anomalies(name: str, seed: int, updates: int | None) -> dict[str, float]:
    """The area under the ROC curve of each method."""
    frame, normal = normal_rows(name)
    numbers = np.random.default_rng(seed).permutation(np.flatnonzero(normal))
    half = len(numbers) // 2
    train, test = frame.iloc[numbers[:half]], pd.concat([frame.iloc[numbers[half:]], frame[~normal]])
    truth = np.arange(len(test)) >= len(numbers) - half
    forest = IsolationForest(random_state=seed).fit(train.to_numpy())
    kinds = dict.fromkeys(frame, list(range(17)) if name == "zeros" else "real")
    table = hm.data.from_frame(train.astype(int) if name == "zeros" else train, kinds)
    rbm = learnt(table, hm.Bernoulli(8), updates=updates or 1500, batch=100, rate=0.01, chains=500, seed=seed)
    score = hm.anomaly_score(rbm, table.encode(test.astype(int) if name == "zeros" else test)).score
    return {"harmonium": roc_auc_score(truth, score), "isolation forest": roc_auc_score(truth, -forest.score_samples(test.to_numpy()))}


def told(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    busy = load_average(Console(width=None))
    lines: dict[str, Any] = {}
    seeds = range(args.first, args.first + args.seeds)
    rows = []
    for name in args.tables:
        runs = lines[name] = [imputation(name, seed, args.updates) for seed in seeds]
        for kind in (kind for kind in runs[0]["harmonium"] if kind != "seconds"):
            rows.append([f"{name}, {kind}", *(told([run[method][kind] for run in runs]) for method in runs[0])])
    if rows:
        methods = ["harmonium", "nearest neighbours", "iterative", "nearest neighbours, codes", "iterative, codes"]
        print("\n".join(markdown_table(["errors at the gaps", *methods], rows, words=1)))
    if args.anomalies:
        rows = []
        for name in ("benign tumours", "two cultivars", "zeros"):
            found = lines[name] = [anomalies(name, seed, args.updates) for seed in seeds]
            rows.append([name, *(told([each[method] for each in found]) for method in found[0])])
        print("\n" + "\n".join(markdown_table(["area under the ROC curve; normal are", "harmonium", "isolation forest"], rows, words=1)))
    print(f"\nSeeds {seeds[0]} to {seeds[-1]}. {where({**machine(), 'load_average_before': busy})}.")
    if args.json is not None:
        settings = {**asdict(args), "json": None}
        write(args.json, {"settings": settings, "machine": {**machine(), "load_average_before": busy}, "lines": lines})


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

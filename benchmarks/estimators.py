"""The pipeline of scikit-learn's gallery, "RBM features for digit classification", with its BernoulliRBM and with RBMTransformer.

    python benchmarks/estimators.py --json estimators.json

The 1,797 digits of 8 x 8 pixels and their copies moved by one pixel in four directions, split ten times (80 % to learn from; a digit and
its copies on one side). 100 hidden units, then logistic regression with C = 6,000. scikit-learn has the settings of its gallery (rate
0.06, 10 epochs of batches of 10), chosen there by a grid search; Harmonium has the defaults of `RBMTransformer`. The error is that of the
held-out digits. The seconds are those of the RBM's `fit`, the two in turns. Each split has its own seed.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from scipy.ndimage import convolve
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neural_network import BernoulliRBM
from threadpoolctl import threadpool_limits

from harmonium.sklearn import RBMTransformer
from machine import as_users_run, load_average, machine, markdown_table, where, write


@dataclass(frozen=True)
class Arguments:
    """RBM features for digit classification."""

    splits: int = 10
    """How often the digits are split."""
    components: int = 100
    """Hidden units."""
    threads: int = 2
    """Of PyTorch and of NumPy."""
    digits: int = 1797
    """How many of the digits."""
    json: Path | None = None
    """A file to write the figures to."""


def nudged(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The digits with their moved copies, their labels, and the number of the digit that each comes from."""
    moves = [np.zeros((3, 3)) for _ in range(4)]
    for move, place in zip(moves, ((0, 1), (1, 0), (1, 2), (2, 1)), strict=True):
        move[place] = 1
    copies = [X, *(np.stack([convolve(x.reshape(8, 8), move, mode="constant").ravel() for x in X]) for move in moves)]
    return np.concatenate(copies), np.tile(y, 5), np.tile(np.arange(len(y)), 5)


def error(features: np.ndarray, held: np.ndarray, y: np.ndarray, truth: np.ndarray) -> float:
    """The percentage of held-out digits that logistic regression takes for another."""
    return 100 * float((LogisticRegression(C=6000, max_iter=2000).fit(features, y).predict(held) != truth).mean())


def main(args: Arguments) -> None:
    torch.set_num_threads(args.threads)
    console = Console(width=None)
    busy = load_average(console)
    X, y = load_digits(return_X_y=True)
    X, y, groups = nudged(X[: args.digits].astype(np.float32) / 16, y[: args.digits])
    found: dict[str, dict[str, list[float]]] = {name: {"errors": [], "seconds": []} for name in ("scikit-learn", "harmonium")}
    splits = GroupShuffleSplit(args.splits, test_size=0.2, random_state=0).split(X, y, groups)
    with threadpool_limits(args.threads):
        for seed, (train, test) in enumerate(splits):
            machines = {
                "scikit-learn": BernoulliRBM(args.components, learning_rate=0.06, n_iter=10, random_state=seed),
                "harmonium": RBMTransformer(args.components, random_state=seed),
            }
            for name in list(machines)[:: 1 if seed % 2 else -1]:
                began = time.perf_counter()
                rbm = machines[name].fit(X[train])
                found[name]["seconds"].append(time.perf_counter() - began)
                found[name]["errors"].append(error(rbm.transform(X[train]), rbm.transform(X[test]), y[train], y[test]))
    lines = []
    for name, each in found.items():
        errors = np.array(each["errors"])
        spread = errors.std(ddof=1) if len(errors) > 1 else 0.0
        lines.append([name, f"{errors.mean():.2f} ± {spread:.2f}", f"{np.median(each['seconds']):.1f}"])
    better = int((np.array(found["harmonium"]["errors"]) < np.array(found["scikit-learn"]["errors"])).sum())
    print("\n".join(markdown_table(["features", "errors (%)", "seconds"], lines, words=1)))
    print(f"\nharmonium has fewer errors on {better} of {args.splits} splits. {where({**machine(), 'load_average_before': busy})}.")
    if args.json is not None:
        write(
            args.json, {"settings": {**asdict(args), "json": None}, "machine": {**machine(), "load_average_before": busy}, "lines": found}
        )


if __name__ == "__main__":
    as_users_run()
    main(tyro.cli(Arguments))

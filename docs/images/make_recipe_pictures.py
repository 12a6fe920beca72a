"""Makes the pictures of recipes whose runs draw none for their page, from results/*.json: cd_bias.png and mnist_dbn_bound.png.

python docs/images/make_recipe_pictures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "results"


def record(recipe: str) -> dict[str, Any]:
    """The first record that stands."""
    return json.loads((RESULTS / f"{recipe}.json").read_text())["records"][0]


def cd_bias() -> None:
    """Gaps of the learning rules at rest, a point a seed."""
    found = record("cd-bias")["metrics"]
    names = {"CD-1": "kl_gap_cd1_weight_cost_nats", "CD-10": "kl_gap_cd10_weight_cost_nats", "PCD": "kl_gap_pcd_nats"}
    names["tempered CD"] = "kl_gap_tempered_nats"
    figure, axes = plt.subplots(figsize=(5.6, 2.6))
    for place, name in enumerate(names.values()):
        values = found[name]["values"]
        axes.plot(values, [place] * len(values), "o", color=f"C{place}", markersize=6)
    axes.set(xscale="log", yticks=range(len(names)), yticklabels=names, xlabel="KL gap to maximum likelihood (nats), a point a seed")
    axes.set_title("Where learning rules rest: mean of 20 distributions, with weight cost")
    axes.invert_yaxis()
    figure.savefig(HERE / "cd_bias.png", dpi=150)


def dbn_bound() -> None:
    """The bound beside the first RBM's likelihood, by seed, and the paper's."""
    found = record("mnist-dbn-bound")
    order = sorted(range(len(found["seeds"])), key=found["seeds"].__getitem__)
    names = ("test_bound_nats", "bottom_rbm_test_nats_fixed_stochastic")
    bound, bottom = ([found["metrics"][name]["values"][at] for at in order] for name in names)
    figure, axes = plt.subplots(figsize=(5.6, 2.6))
    axes.plot(range(len(bottom)), bottom, "s", color="C0", markersize=6, label="first RBM alone")
    axes.plot(range(len(bound)), bound, "o", color="C1", markersize=6, label="bound of the two-layer net")
    axes.axhline(-86.34, color="C0", linestyle=":", label="published, first RBM: -86.34")
    axes.axhline(-85.97, color="C1", linestyle=":", label="published, bound: -85.97")
    axes.set(xticks=range(len(bound)), xticklabels=[f"seed {seed}" for seed in sorted(found["seeds"])])
    axes.set(ylabel="nats a test image", xlim=(-0.4, len(bound) - 0.6))
    axes.set_title("A second layer: does its bound exceed the first layer's likelihood?")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(HERE / "mnist_dbn_bound.png", dpi=150)


if __name__ == "__main__":
    plt.style.use("harmonium.report.figures")
    cd_bias()
    dbn_bound()

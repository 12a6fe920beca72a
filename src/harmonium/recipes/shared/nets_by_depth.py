"""Nets of several depths, with and without pre-training: how they learn, and what is compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from harmonium.learning import Replicas
from harmonium.models import DBN
from harmonium.recipes.shared.sigmoid_nets import (
    KINDS,
    Cases,
    Curves,
    Descent,
    Pretraining,
    curves_of,
    learn_labels,
    learn_stacks,
    seeds_of,
    sigmoid_net,
    untrained_stacks,
)
from harmonium.runs.contract import Metric
from harmonium.runs.folder import Run

SIDE = 14  # pixels of an image


class Plan(NamedTuple):
    """What the options come to. `depths`: numbers of hidden layers."""

    setting: str
    nets: int
    depths: tuple[int, ...]
    units: int
    cases: int
    pretraining: Pretraining
    descent: Descent


def phase(kind: str, depth: int) -> str:
    """The name of the phase in which nets of a kind and depth learn the labels."""
    return f"{kind} depth {depth}"


def learn_all(run: Run, plan: Plan, cases: Cases, seed: int) -> None:
    """Every net of every depth and kind, from its checkpoint where there is one."""
    seeds, widths = seeds_of(seed, plan.nets), (plan.units,) * max(plan.depths)
    stacks = {
        "pretrained": learn_stacks(run, cases.images, widths, plan.pretraining, seeds),
        "random": untrained_stacks(cases.images, widths, plan.nets),
    }
    for depth in plan.depths:
        for kind in KINDS:
            nets = [
                sigmoid_net(DBN([*stack.rbms[:depth]]), 10, own, pretrained=kind == "pretrained")
                for stack, own in zip(stacks[kind], seeds, strict=True)
            ]
            learn_labels(run, phase(kind, depth), Replicas(nets), cases, plan.descent, seed)


def found_so_far(run: Run, plan: Plan) -> dict[tuple[str, int], Curves]:
    """(kind, depth) -> the metrics of every net after every epoch, of the cells that have begun."""
    histories = run.histories()
    found = {(kind, depth): curves_of(histories.get(phase(kind, depth), []), plan.nets) for depth in plan.depths for kind in KINDS}
    return {key: curves for key, curves in found.items() if curves is not None}


def metrics(found: dict[tuple[str, int], Curves], split: str) -> list[Metric]:
    """Of each depth: both kinds' medians and interquartile ranges, how often a pre-trained net errs less, and the same at equal loss."""
    rows: list[Metric] = []
    for depth in sorted({depth for _, depth in found}):
        cell = {kind: found[kind, depth] for kind in KINDS}
        errors = {kind: curves[f"{split}_error_percent"][-1] for kind, curves in cell.items()}
        for kind, values in errors.items():
            low, middle, high = np.percentile(values, (25, 50, 75))
            rows += [
                (f"{split}_error_percent_median_{kind}_depth_{depth}", float(middle), "%"),
                (f"{split}_error_percent_iqr_{kind}_depth_{depth}", float(high - low), "%"),
            ]
        less = errors["pretrained"][:, None] < errors["random"]
        same = errors["pretrained"][:, None] == errors["random"]
        rows.append((f"{split}_share_pretrained_errs_less_depth_{depth}", float((less + same / 2).mean()), ""))
        level, at = at_equal_loss(cell, split)
        rows.append((f"training_loss_compared_at_depth_{depth}", level, "nats"))
        rows += [(f"{split}_error_percent_{kind}_at_equal_loss_depth_{depth}", float(np.median(at[kind])), "%") for kind in KINDS]
    return rows


def at_equal_loss(cell: dict[str, Curves], split: str) -> tuple[float, dict[str, np.ndarray[Any, Any]]]:
    """A training loss that half of either kind's nets reach at least, and each such net's error at its first epoch at or below it."""
    level = max(float(np.median(curves["training_loss"][-1])) for curves in cell.values())
    found = {}
    for kind, curves in cell.items():
        below = curves["training_loss"] <= level
        reached = np.asarray(below.any(0))
        found[kind] = curves[f"{split}_error_percent"][below.argmax(0), np.arange(below.shape[1])][reached]
    return level, found

"""Nets that learn from small labelled subsets, many at once, and how their settings are chosen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from torch import Tensor, nn

from harmonium.learning import Replicas, ReplicaSGD, Schedule
from harmonium.learning.replicas.fine_tune_replicas import fine_tune_replicas
from harmonium.models import DBN
from harmonium.nets import classifier
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.stack import Layers, error_percent, rbms
from harmonium.runs.folder import Run
from harmonium.seeds import derive

CLASSES = 10
START_NAMES = ("pretrained", "random")


@dataclasses.dataclass(frozen=True)
class Grid:
    """What is tried for each start and each number of labels, and how all nets learn."""

    rates: tuple[float, ...] = (0.01, 0.05, 0.2)
    """Learning rates."""
    weight_costs: tuple[float, ...] = (0.0, 1e-3)
    subsets: int = 2
    """Labelled subsets that each pair is tried on; one alone from 10,000 labels on."""
    held_out: int = 10_000
    """The last training cases, on which the nets are compared after each epoch."""
    epochs: int = 25
    """At most; how many is chosen with the pair."""
    visits: int = 5000
    """Cases that an epoch visits at least: fewer labelled cases are visited several times."""
    batch_size: int = 50
    momentum: float = 0.9
    decay: float = 0.93
    """The learning rate's factor from one epoch to the next."""
    random_scale: float = 784**-0.5
    """Standard deviation of a random start's weights."""

    def __post_init__(self) -> None:
        if not self.rates or not self.weight_costs or min(self.subsets, self.held_out, self.epochs, self.visits, self.batch_size) < 1:
            raise ValueError(f"a grid has a rate, a weight cost, and at least one subset, held-out case and epoch, found {self}")


class Plan(NamedTuple):
    """What a run does."""

    setting: str  # its name in the records
    layers: Layers
    grid: Grid
    counts: tuple[int, ...]
    subsets: int
    seed: int
    device: str


@dataclasses.dataclass(frozen=True)
class Found:
    """What came out for one number of labels and one start."""

    count: int
    """Labelled cases."""
    start: str
    rate: float
    weight_cost: float
    epochs: int
    """The three settings that were chosen."""
    held_out_error: float
    """Of these on the held-out cases, in percent."""
    errors: Sequence[float]
    """Of each subset's net on the judged cases, in percent."""
    train_errors: Sequence[float]
    """Of each on its labelled cases, in percent."""

    @property
    def mean(self) -> float:
        """Of the errors."""
        return fmean(self.errors)

    def gain_over(self, other: Found) -> tuple[float, float]:
        """How much lower its errors are, subset by subset: the mean and its standard error, NaN of one subset."""
        gains = [theirs - own for own, theirs in zip(self.errors, other.errors, strict=True)]
        return fmean(gains), stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan


def some_of_each(labels: Tensor, count: int, seed: int) -> Tensor:
    """The numbers of `count` cases, as many of each class as far as there are; of all cases from `len(labels)` on.

    A smaller count of the same seed gives the first of the same cases.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    kinds = labels[order]
    before = nn.functional.one_hot(kinds, CLASSES).cumsum(0).gather(1, kinds[:, None])[:, 0]  # of the same class, itself included
    return order[before.argsort(stable=True)][:count]


def nets_of(plan: Plan, stack: DBN, start: str, subsets: int) -> list[nn.Module]:
    """A net for each subset: the features and a new softmax layer, or random weights and the same softmax layer."""
    layers = dataclasses.replace(plan.layers, scale=plan.grid.random_scale)
    pixels = stack.rbms[0].visible.shape[0]
    found: list[nn.Module] = []
    for subset in range(subsets):
        begun = stack if start == "pretrained" else DBN(rbms(pixels, layers, derive(plan.seed, 50, subset)))
        found.append(classifier(begun, CLASSES, seed=derive(plan.seed, 51, subset)).to(plan.device))
    return found


class _Learning(NamedTuple):
    """Nets that learn at once, each with its labelled cases and its settings."""

    nets: list[nn.Module]
    rows: list[Tensor]
    rates: list[float]
    costs: list[float]
    seeds: list[int]


def backpropagate(
    run: Run, phase: str, grid: Grid, learning: _Learning, cases: tuple[Tensor, Tensor], epochs: int, held_out: tuple[Tensor, Tensor] | None
) -> tuple[Replicas[nn.Module], list[dict[str, float]]]:
    """The nets after so many epochs, and the metrics of each epoch.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    grid, learning
        What all nets have in common, and what each has for itself.
    cases, held_out
        Images and labels to learn from, and those that choose the epoch, if any.
    epochs
        How many.
    """
    passes = math.ceil(grid.visits / len(learning.rows[0]))
    many = Replicas(learning.nets, rows=torch.stack([row.repeat(passes) for row in learning.rows]))
    state = fine_tune_replicas(
        many,
        *cases,
        validation=held_out,
        epochs=epochs,
        head_epochs=min(1, epochs - 1),
        batch_size=min(grid.batch_size, len(learning.rows[0])),
        optimizer=partial(ReplicaSGD, lr=learning.rates, momentum=grid.momentum),
        schedule=partial(Schedule, lr=lambda epoch: grid.decay**epoch),
        weight_cost=learning.costs,
        precision=run.precision,
        seed=learning.seeds,
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    return many, state.history


def choose_and_learn(run: Run, plan: Plan, cases: Split, stack: DBN, count: int, start: str) -> Found:
    """Tries the grid with labels of all but the held-out cases; then nets learn with what erred least, and are judged."""
    grid, phase = plan.grid, f"{count} labels {start}"
    kept = len(cases.images) - grid.held_out
    if kept < CLASSES:
        raise ValueError(f"{grid.held_out} of {len(cases.images)} training cases cannot be held out: ten or more are left to learn from")
    subsets = 1 if count >= 10_000 else grid.subsets
    tried = list(product(grid.rates, grid.weight_costs, range(subsets)))
    begun = nets_of(plan, stack, start, subsets)
    trial = _Learning(
        [begun[subset] for _, _, subset in tried],
        [some_of_each(cases.labels[:kept], count, derive(plan.seed, 52, subset)) for _, _, subset in tried],
        [rate for rate, _, _ in tried],
        [cost for _, cost, _ in tried],
        [derive(plan.seed, 53, subset) for _, _, subset in tried],
    )
    shown, hidden = (cases.images[:kept], cases.labels[:kept]), (cases.images[kept:], cases.labels[kept:])
    _, history = backpropagate(run, f"choice {phase}", grid, trial, shown, grid.epochs, hidden)
    place, epochs, error = least(history, len(tried), subsets)
    rate, cost, _ = tried[place]
    rows = [some_of_each(cases.labels, count, derive(plan.seed, 54, subset)) for subset in range(plan.subsets)]
    learning = _Learning(
        nets_of(plan, stack, start, plan.subsets),
        rows,
        [rate] * plan.subsets,
        [cost] * plan.subsets,
        [derive(plan.seed, 55, subset) for subset in range(plan.subsets)],
    )
    many, _ = backpropagate(run, phase, grid, learning, (cases.images, cases.labels), epochs, None)
    judged = [error_percent(net, cases.test_images, cases.test_labels) for net in many]
    own = [error_percent(net, cases.images[row], cases.labels[row]) for net, row in zip(many, rows, strict=True)]
    return Found(count, start, rate, cost, epochs, error, judged, own)


def least(history: Sequence[dict[str, float]], nets: int, subsets: int) -> tuple[int, int, float]:
    """The first net of the pair of settings whose subsets erred least on average after some epoch, that epoch, and the error.

    `history`: a row of metrics for each epoch. The nets stand in the order of the pairs, the subsets of each together.
    """
    means = {
        (place, epoch): fmean(row[f"validation_error_percent.{place + subset}"] for subset in range(subsets))
        for epoch, row in enumerate(history, 1)
        for place in range(0, nets, subsets)
    }
    finite = {key: error for key, error in means.items() if math.isfinite(error)}
    place, epoch = min(finite, key=lambda key: finite[key])
    return place, epoch, finite[place, epoch]

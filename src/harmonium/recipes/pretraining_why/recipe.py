"""When does unsupervised pre-training make sense? Labels by a narrow channel from what caused an image, against labels from its pixels.

The tutorial's slide "why unsupervised pre-training makes sense" (G. Hinton, IPAM 2012): if the same stuff makes the image by a pathway of
high bandwidth and the label by one of low bandwidth, "it makes sense to first learn to recover the stuff that caused the image"; if the
label is computed from the image, such as whether its pixels have even parity, "it would make sense to try to go straight from images to
labels". No numbers are published. Images of bars under noise are labelled in both ways; nets of one and two sigmoid layers learn every kind
of label, 20 with and 20 without pre-training. Ours: results/pretraining-why.json; protocol: docs/recipes/pretraining-why.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from harmonium.learning import Replicas
from harmonium.models import DBN
from harmonium.recipes.pretraining_why.bars import TASKS, labelled
from harmonium.recipes.pretraining_why.pictures import sections
from harmonium.recipes.shared.sigmoid_nets import (
    KINDS,
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
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

DEPTHS = (1, 2)


class Plan(NamedTuple):
    """What the options come to."""

    setting: str
    nets: int
    units: int
    cases: int
    test_cases: int
    pretraining: Pretraining
    descent: Descent


@dataclasses.dataclass(frozen=True)
class PretrainingWhy(Recipe):
    """Labels of hidden causes against labels of pixels, with and without unsupervised pre-training."""

    nets: int = 20
    """Of each kind, depth and task."""
    units: int = 50
    """Of each hidden layer."""
    cases: int = 1000
    """Training images."""
    test_cases: int = 5000
    """Images to be judged on."""
    quick: bool = False
    """Some minutes: 8 nets, 500 training images."""
    pretraining: Pretraining = Pretraining(epochs=40)
    descent: Descent = Descent(epochs=80, learning_rate=1.0)

    name: ClassVar[str] = "pretraining-why"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton, IPAM tutorial 2012"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(
        f"test_error_percent_{kind}_{task}_depth_2" for task in ("parity_of_3_bars", "one_pixel") for kind in KINDS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.nets, self.units, self.cases, self.test_cases) < 1:
            raise ValueError(f"at least one net, one unit and one case of each kind, found {self}")

    def plan(self) -> Plan:
        """What the options come to."""
        plan = Plan("full", self.nets, self.units, self.cases, self.test_cases, self.pretraining, self.descent)
        if self.quick:
            plan = plan._replace(setting="quick", nets=min(self.nets, 8), cases=min(self.cases, 500))
        if self.smoke:
            pretraining, descent = dataclasses.replace(self.pretraining, epochs=2), dataclasses.replace(self.descent, epochs=2)
            plan = Plan("smoke", 2, 8, 100, 100, pretraining, descent)
        return plan

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn a stack of bars for each seed; from its layers, and from random weights, learn each kind of label; compare."""
        torch.set_num_threads(self.threads)
        plan = self.plan()
        learn_all(run, plan, self.seed, self.device)
        results = self.results(run, plan.setting, metrics(found_so_far(run, plan)))
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        plan = self.plan()
        write_run_report(
            run,
            summary=f"Images of bars with labels of bars and of pixels: {plan.nets} nets of {plan.units} units a layer with each start",
            sections=sections(found_so_far(run, plan)),
            headline=None if run.finished else (),
        )


def phase(task: str, kind: str, depth: int) -> str:
    """The name of the phase in which a kind of nets learns a task."""
    return f"{task} {kind} depth {depth}"


def learn_all(run: Run, plan: Plan, seed: int, device: str) -> None:
    """All nets of all tasks, from their checkpoints where there are such."""
    seeds, widths, drawn = seeds_of(seed, plan.nets), (plan.units,) * max(DEPTHS), derive(seed, 1)
    images = labelled("one pixel", plan.cases, plan.test_cases, drawn, device).images
    stacks = {
        "random": untrained_stacks(images, widths, plan.nets),
        "pretrained": learn_stacks(run, images, widths, plan.pretraining, seeds),
    }
    for task in TASKS:
        cases = labelled(task, plan.cases, plan.test_cases, drawn, device)
        for depth in DEPTHS:
            for kind in KINDS:
                nets = [
                    sigmoid_net(DBN([*stack.rbms[:depth]]), 2, own, pretrained=kind == "pretrained")
                    for stack, own in zip(stacks[kind], seeds, strict=True)
                ]
                learn_labels(run, phase(task, kind, depth), Replicas(nets), cases, plan.descent, seed)


def found_so_far(run: Run, plan: Plan) -> dict[tuple[str, str, int], Curves]:
    """(task, kind, depth) -> the metrics of every net after every epoch, of those that have begun."""
    histories = run.histories()
    keys = [(task, kind, depth) for task in TASKS for depth in DEPTHS for kind in KINDS]
    found = {key: curves_of(histories.get(phase(*key), []), plan.nets) for key in keys}
    return {key: curves for key, curves in found.items() if curves is not None}


def metrics(found: dict[tuple[str, str, int], Curves]) -> list[Metric]:
    """Medians over the nets after the last epoch."""
    return [
        (f"test_error_percent_{kind}_{task.replace(' ', '_')}_depth_{depth}", float(np.median(curves["test_error_percent"][-1])), "%")
        for (task, kind, depth), curves in found.items()
    ]

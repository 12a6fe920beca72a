"""What unlabelled images are worth: MNIST with 100 to 60,000 labels, from features of all images and from a random start.

Published for one layer of 1,024 units (README of yell/boltzmann-machines, 2018): with 100 labels 81.7 % right from an RBM's features and
76.0 % from a random start, with 1,000 labels 93.65 and 88.71 %, with 10,000 97.27 and 94.73 %. The claim is the tutorial's overfitting view
(IPAM 2012): "the precious information in the labels is only used for the final fine-tuning"; "this type of backpropagation works well even
if most of the training data is unlabeled". Several labelled subsets learn as replicas. For each number of labels and each start the
learning rate, the weight cost and the number of epochs are chosen on held-out training cases, from the same grid. Protocol, and what was
tried: docs/recipes/few-labels.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from harmonium.data import mnist
from harmonium.recipes.few_labels.labelled_subsets import START_NAMES, Found, Grid, Plan, choose_and_learn
from harmonium.recipes.few_labels.pictures import sections
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.recipes.shared.stack import Layers, learn, learnt_rbms
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import headlines, write_run_report

THEIRS = "one layer of 1,024 units, how its settings were chosen is not known"


@dataclasses.dataclass(frozen=True)
class FewLabels(Recipe):
    """MNIST with few labels: backpropagation from features of all 60,000 unlabelled images, and from a random start."""

    labels: tuple[int, ...] = (100, 300, 1000, 3000, 10_000, 60_000)
    """How many cases have labels; more than there are mean all."""
    subsets: int = 5
    """Labelled subsets of each size, each with a net of its own."""
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings beyond those that a run itself chooses."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A few minutes: three numbers of labels, two subsets, 8 epochs of pre-training, a smaller grid."""
    layers: Layers = Layers(units=(1024,), epochs=30)
    """How the features are learnt from all images."""
    grid: Grid = Grid()
    """What is tried on held-out cases, for each start alike."""

    name: ClassVar[str] = "few-labels"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton's tutorial (IPAM 2012); figures of yell/boltzmann-machines (2018)"
    published: ClassVar[dict[str, str]] = {
        "test_error_percent_pretrained_1000": f"6.35 ({THEIRS})",
        "test_error_percent_random_1000": "11.29",
        "test_error_percent_pretrained_100": "18.3",
        "test_error_percent_random_100": "24.0",
        "test_error_percent_pretrained_10000": "2.73",
        "test_error_percent_random_10000": "5.27",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent_pretrained_1000", "test_error_percent_random_1000")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.labels or min(self.labels) < 10 or self.subsets < 1:
            raise ValueError(
                f"expected at least ten labels, one of each class, and a subset, found labels={self.labels} and subsets={self.subsets}"
            )

    def plan(self) -> Plan:
        """What the options come to."""
        plan = Plan("full", self.layers, self.grid, self.labels, self.subsets, self.seed, self.device)
        if self.quick:
            fewer = dataclasses.replace(self.grid, rates=(0.02, 0.1), weight_costs=(1e-3,), subsets=1, epochs=12)
            layers = dataclasses.replace(self.layers, epochs=8)
            plan = plan._replace(setting="quick", layers=layers, grid=fewer, counts=(100, 1000, 10_000), subsets=2)
        if self.smoke:
            fewer = dataclasses.replace(plan.grid, rates=(0.02, 0.1), weight_costs=(1e-3,), subsets=1, epochs=2, held_out=100, visits=100)
            layers = dataclasses.replace(plan.layers, units=(20,), epochs=1)
            plan = plan._replace(setting="smoke", layers=layers, grid=fewer, counts=(20, 100), subsets=2)
        return plan

    def cases(self) -> Split:
        """What to learn from and to be judged on; a few cases only in a smoke run."""
        return split(mnist.load(self.data_dir), self.held_out, smoke=self.smoke)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: features of all images; for each number of labels and each start, choose on held-out cases and learn; draw."""
        plan, cases = self.plan(), self.cases()
        stack = learn(run, cases, plan.layers, plan.seed)
        found = [choose_and_learn(run, plan, cases, stack, count, start) for count in plan.counts for start in START_NAMES]
        measured = [dataclasses.asdict(each) for each in found]
        results = self.results(run, plan.setting, metrics(found, cases.name), measured=measured)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        plan = self.plan()
        found = [Found(**each) for each in run.results()["measured"]] if run.finished else []
        layers = "-".join(map(str, plan.layers.units))
        write_run_report(
            run,
            summary=f"Nets of {layers} hidden units on MNIST with few labels, from features of all images and from a random start",
            headline=[line for line in headlines(run.results()) if line.published is not None] if run.finished else (),
            sections=sections(run, found, learnt_rbms(run, 784, plan.layers, plan.seed)),
        )


def metrics(found: list[Found], split_name: str) -> list[Metric]:
    """Errors by start and number of labels, means over the subsets, and what pre-training gains, pair by pair."""
    named: list[Metric] = [(f"{split_name}_error_percent_{each.start}_{each.count}", each.mean, "%") for each in found]
    for pretrained in found:
        for random in found:
            if pretrained.count == random.count and (pretrained.start, random.start) == START_NAMES:
                gain, error = pretrained.gain_over(random)
                named += [(f"gain_{pretrained.count}", gain, "percentage points")]
                named += [(f"gain_{pretrained.count}_standard_error", error, "percentage points")]
    return named

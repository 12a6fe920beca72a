"""What does unsupervised pre-training change in nets of one depth? A hundred sigmoid nets with it and a hundred without.

Paper: Erhan, Manzagol, Bengio, Bengio & Vincent, "The difficulty of training deep architectures and the effect of unsupervised
pre-training", AISTATS 2009; the tutorial's slide "effect of unsupervised pre-training" (IPAM 2012), which shows histograms of test errors.
It is one depth of pretraining-depth with more seeds: the same nets, images and descent, so that the distribution of errors is seen and not
only its quartiles. Ours, times and machine: results/pretraining-effect.json; the protocol: docs/recipes/pretraining-effect.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch

from harmonium.recipes.shared.depth_pictures import against_loss, histograms
from harmonium.recipes.shared.nets_by_depth import SIDE, Plan, found_so_far, learn_all, metrics
from harmonium.recipes.shared.sigmoid_nets import Cases, Descent, Pretraining, small_mnist
from harmonium.report import Section
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report


@dataclasses.dataclass(frozen=True)
class PretrainingEffect(Recipe):
    """Sigmoid nets of two hidden layers on MNIST, with and without unsupervised pre-training (Erhan et al. 2009)."""

    nets: int = 100
    """Seeds of each kind."""
    depth: int = 2
    """Number of hidden layers."""
    units: int = 100
    """Of each hidden layer."""
    cases: int = 10_000
    """Training images, the first ones."""
    held_out: int = 0
    """Judge on this many held-out training cases, the last ones, and not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A few minutes: 50 seeds, 2,000 training images."""
    pretraining: Pretraining = Pretraining()
    descent: Descent = Descent()

    name: ClassVar[str] = "pretraining-effect"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Erhan, Manzagol, Bengio, Bengio & Vincent 2009; Erhan et al. 2010"
    published: ClassVar[dict[str, str]] = {
        "test_error_percent_median_pretrained_depth_2": "1.37 ± 0.09 (mean; 50,000 images, wide layers)",
        "test_error_percent_median_random_depth_2": "1.77 ± 0.10 (mean; 50,000 images, wide layers)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(published)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nets < 2 or self.depth < 1 or self.units < 1:
            raise ValueError(
                "at least two nets of each kind, of at least one layer of at least one unit, found "
                f"--nets {self.nets}, --depth {self.depth}, --units {self.units}"
            )

    def plan(self) -> Plan:
        """What the options come to."""
        setting, nets, cases = "full", self.nets, self.cases
        if self.quick:
            setting, nets, cases = "quick", min(nets, 50), min(cases, 2000)
        if self.smoke:
            pretraining, descent = dataclasses.replace(self.pretraining, epochs=2), dataclasses.replace(self.descent, epochs=2)
            return Plan("smoke", 3, (self.depth,), 8, 200, pretraining, descent)
        return Plan(setting, nets, (self.depth,), self.units, cases, self.pretraining, self.descent)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn a stack for each seed; from its layers, and from random weights, learn the labels; compare."""
        torch.set_num_threads(self.threads)
        plan, cases = self.plan(), self.judged()
        learn_all(run, plan, cases, self.seed)
        results = self.results(run, plan.setting, metrics(found_so_far(run, plan), cases.name))
        self.report(run)
        return results

    def judged(self) -> Cases:
        """What the nets learn from and are judged on."""
        return small_mnist(self.data_dir, side=SIDE, cases=self.plan().cases, held_out=self.held_out, smoke=self.smoke, device=self.device)

    def report(self, run: Run) -> None:
        plan, split = self.plan(), "validation" if self.held_out else "test"
        found = found_so_far(run, plan)
        parts = [
            Section(
                "The effect of unsupervised pre-training",
                "Each net's error after the last epoch. Two heaps that do not touch are what the paper shows; pre-training is to move the "
                "heap to the left and to make it narrower.",
                [(histograms(found, split, [self.depth]), f"number of nets by {split} error in percent")],
            ),
            Section(
                "At equal training loss",
                "Each line is the median over nets, epoch by epoch, from right to left. Where the line with pre-training is below the "
                "other at the same training loss, pre-training acts as a regulariser.",
                [(against_loss(found, split, [self.depth]), f"{split} error in percent against training loss in nats")],
            ),
        ]
        write_run_report(
            run,
            summary=f"{plan.nets} sigmoid nets of each kind, {self.depth} layers of {plan.units} units, {plan.cases:,} digits of "
            f"{SIDE} x {SIDE} pixels",
            sections=parts if found else [Section("Nothing yet", "No net has learnt labels yet.")],
            headline=None if run.finished else (),
        )

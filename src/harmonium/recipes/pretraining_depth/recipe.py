"""Does unsupervised pre-training help, and the more the deeper a net is? Fifty sigmoid nets of each depth with it and fifty without.

Paper: Erhan, Manzagol, Bengio, Bengio & Vincent, "The difficulty of training deep architectures and the effect of unsupervised
pre-training", AISTATS 2009, and JMLR 11 (2010); the tutorial's slides "effect of unsupervised pre-training" and "effect of depth" (IPAM
2012). Nets of equal width, plain stochastic gradient descent, initial weights from U(-1/√k, 1/√k); in the paper MNIST's 50,000 training
images, wide layers and 400 seeds, here 10,000 images of 14 x 14 pixels, 100 units a layer and 50 seeds, because all 500 nets are to be
learnt within an hour or two on two cores. Nets that differ in their seed learn as one batched computation. Ours, times and machine:
results/pretraining-depth.json; the protocol in full and what was tried: docs/recipes/pretraining-depth.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch

from harmonium.recipes.shared.depth_pictures import sections
from harmonium.recipes.shared.nets_by_depth import SIDE, Plan, found_so_far, learn_all, metrics
from harmonium.recipes.shared.sigmoid_nets import Cases, Descent, Pretraining, small_mnist
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report


@dataclasses.dataclass(frozen=True)
class PretrainingDepth(Recipe):
    """Sigmoid nets of one to five layers on MNIST, with and without unsupervised pre-training (Erhan et al. 2009)."""

    nets: int = 50
    """Seeds of each depth and kind."""
    depths: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Numbers of hidden layers."""
    units: int = 100
    """Of each hidden layer."""
    cases: int = 10_000
    """Training images, the first ones."""
    held_out: int = 0
    """Judge on this many held-out training cases, the last ones, and not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A third of an hour: 2,000 training images."""
    pretraining: Pretraining = Pretraining()
    descent: Descent = Descent()

    name: ClassVar[str] = "pretraining-depth"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Erhan, Manzagol, Bengio, Bengio & Vincent 2009; Erhan et al. 2010"
    published: ClassVar[dict[str, str]] = {
        "test_error_percent_median_pretrained_depth_1": "1.41 ± 0.07 (mean; 50,000 images, wide layers)",
        "test_error_percent_median_pretrained_depth_2": "1.37 ± 0.09 (mean; 50,000 images, wide layers)",
        "test_error_percent_median_random_depth_1": "1.81 ± 0.07 (mean; 50,000 images, wide layers)",
        "test_error_percent_median_random_depth_2": "1.77 ± 0.10 (mean; 50,000 images, wide layers)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(published)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nets < 2 or not self.depths or min(self.depths) < 1 or self.units < 1:
            raise ValueError(
                "at least two nets of each depth, depths of at least one layer, and layers of at least one unit, found "
                f"--nets {self.nets}, --depths {self.depths}, --units {self.units}"
            )

    def plan(self) -> Plan:
        """What the options come to."""
        setting, cases = "full", self.cases
        if self.quick:
            setting, cases = "quick", min(cases, 2000)
        plan = Plan(setting, self.nets, self.depths, self.units, cases, self.pretraining, self.descent)
        if self.smoke:
            pretraining, descent = dataclasses.replace(self.pretraining, epochs=2), dataclasses.replace(self.descent, epochs=2)
            plan = Plan("smoke", 3, (1, 2), 8, 200, pretraining, descent)
        return plan

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn a stack for each seed; from its layers, and from random weights, learn the labels at every depth; compare."""
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
        write_run_report(
            run,
            summary=f"{plan.nets} sigmoid nets of each kind, {plan.units} units a layer, {plan.cases:,} digits of {SIDE} x {SIDE} pixels",
            sections=sections(found_so_far(run, plan), split),
            headline=None if run.finished else (),
        )

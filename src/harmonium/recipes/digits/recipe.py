"""Handwritten digits of 8x8 pixels: a deep belief net learnt in under a minute.

Data: the 1,797 scans that come with scikit-learn, 1,497 to learn from and 300 to be judged on. No paper publishes this job; it is the
tutorial's main one (IPAM 2012, part 1 and the start of part 2) at a size for the first five minutes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from harmonium.data import Dataset, digits
from harmonium.likelihood import Evaluation
from harmonium.recipes.shared.fine_tuned_stack import (
    Plan,
    bottom_likelihood,
    bottom_metric,
    bottom_words,
    draw_evaluation,
    draw_report,
    draw_samples,
    errors,
    learn_all,
)
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.recipes.shared.stack import Generation, Layers, Tuning
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.likelihood_metrics import log_z_metrics, verdict


@dataclasses.dataclass(frozen=True)
class Digits(Recipe):
    """A deep belief net of 8x8 digits: learn, look, generate and classify in under a minute."""

    generation: Generation = Generation(epochs=100, chains=100, batch_size=20, learning_rate=0.02)
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    layers: Layers = Layers(units=(100, 100, 200), epochs=100, batch_size=20, learning_rate=0.05)
    tuning: Tuning = Tuning(epochs=40, batch_size=20, learning_rate=0.1)

    name: ClassVar[str] = "digits"
    paper: ClassVar[str] = "none: the tutorial's main job on scikit-learn's digits"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent",)

    def plan(self) -> Plan:
        """What the options come to."""
        layers, generation, tuning = self.layers, self.generation, self.tuning
        if self.smoke:
            layers, generation = dataclasses.replace(layers, epochs=1), dataclasses.replace(generation, epochs=1)
            tuning = dataclasses.replace(tuning, epochs=3)
        return Plan("smoke" if self.smoke else "default", layers, generation, {"backpropagation": tuning}, self.seed)

    def cases(self) -> tuple[Dataset, Split]:
        """The data set, and what to learn from and to be judged on."""
        data = digits.load()
        return data, split(data, self.held_out, smoke=self.smoke)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the stack, fine-tune it, judge it, draw it."""
        plan, (data, cases) = self.plan(), self.cases()
        learnt = learn_all(run, plan, cases, data.classes)
        betas, sweeps = (20, 5) if self.smoke else (200, 100)
        bottom = bottom_likelihood(cases, learnt.stack.rbms[0], betas=betas, chains=100, sweeps=sweeps)
        nats = bottom_metric(cases)
        metrics = [*errors(cases, learnt.nets), (nats, bottom.cautious.nats, "nats"), *log_z_metrics(bottom, "bottom_rbm_")]
        results = self.results(run, plan.setting, metrics, {nats: verdict(bottom)}, likelihood=bottom_words(cases, bottom))
        draw_report(run, plan, data, cases, learnt)
        return results

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How good the bottom RBM is, of pixels drawn once from the judged images' grey levels; drawn into evaluation.png."""
        return draw_evaluation(run, self.plan(), self.cases()[1], betas=betas, chains=chains, sweeps=sweeps)

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        return draw_samples(run, self.plan(), *self.cases(), steps=steps, seed=seed)

    def report(self, run: Run) -> None:
        draw_report(run, self.plan(), *self.cases())

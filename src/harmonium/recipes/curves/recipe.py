"""Curves in six numbers: a deep autoencoder 784-400-200-100-50-25-6 of images that three points in the plane describe exactly.

Paper: Hinton & Salakhutdinov, Science 313 (2006): squared error of a test image, summed over its pixels, 1.44 for the autoencoder with six
numbers, 7.64 for logistic PCA with six and 2.45 with 18, 5.90 for PCA with 18; Martens (2010) reaches 0.2 by better optimisation. 20,000
training and 10,000 test images, made by this package's own generator (`harmonium.data.curves`), so that figures compare with those
published only roughly. Settings were chosen on 5,000 held-out training cases (`--held-out 5000`). Ours: results/curves-autoencoder.json;
what was tried: docs/recipes/curves-autoencoder.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import torch

from harmonium.data import Dataset, curves
from harmonium.recipes.shared.autoencoder_pictures import draw_report, draw_unfinished
from harmonium.recipes.shared.compared_autoencoders import Baseline, judge, simple_models
from harmonium.recipes.shared.deep_autoencoder import CodedLayers, Learnt, Unrolled, learn_all
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run


@dataclasses.dataclass(frozen=True)
class CurvesAutoencoder(Recipe):
    """The deep autoencoder of Hinton & Salakhutdinov (2006) on curves of three points, beside PCA, logistic PCA and a random start."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test images: for choosing settings."""
    quick: bool = False
    """A few minutes on one core: an epoch a layer, 4 of fine-tuning; free codes of 5,000 cases."""
    turned: bool = True
    """Let the nets see each training image in the eight ways that quarter turns and mirrors make; an epoch then has all of these."""
    layers: CodedLayers = CodedLayers(units=(400, 200, 100, 50, 25, 6), epochs=4)
    tuning: Unrolled = Unrolled(epochs=100, learning_rate=0.008)
    beside: bool = True
    """Learn the random start as well."""

    name: ClassVar[str] = "curves-autoencoder"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton & Salakhutdinov 2006"
    published: ClassVar[dict[str, str]] = {
        "test_squared_error": "1.44 (other curves)",
        "logistic_pca_test_squared_error": "7.64 (other curves)",
        "logistic_pca_18_test_squared_error": "2.45 (other curves)",
        "pca_18_test_squared_error": "5.90 (other curves)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_squared_error",)

    @property
    def setting(self) -> str:
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> tuple[CodedLayers, Unrolled]:
        """How the layers learn and how all of them are fine-tuned: what the options come to."""
        epochs = (1, 2) if self.smoke else (1, 4) if self.quick else (self.layers.epochs, self.tuning.epochs)
        return dataclasses.replace(self.layers, epochs=epochs[0]), dataclasses.replace(self.tuning, epochs=epochs[1])

    def cases(self) -> tuple[Dataset, Split]:
        """The images, all of one class, and what to learn from and to be judged on; a few cases only in a smoke run."""
        train, test = (1000, 500) if self.smoke else (20_000, 10_000)
        made = curves.load(train, test)
        zeros = torch.zeros(train, dtype=torch.long)
        data = Dataset("curves", made.train_images, zeros, made.test_images, zeros[:test], image_shape=(28, 28), classes=1)
        cases = split(data, self.held_out, smoke=self.smoke)
        return data, dataclasses.replace(cases, images=cases.images.to(self.device), test_images=cases.test_images.to(self.device))

    def steps(self, run: Run, cases: Split) -> tuple[Learnt, list[Baseline]]:
        """What is learnt, each phase from its checkpoint where there is one: layer by layer, unrolled, fine-tuned; and simple models."""
        layers, tuning = self.plan()
        seen = dataclasses.replace(cases, images=curves.turned(cases.images)) if self.turned else cases
        learnt = learn_all(run, seen, layers, tuning, self.seed, beside=self.beside)
        sizes, (epochs, learnt_from, iterations) = {"": self.layers.units[-1], "_18": 18}, (60, 20_000, 30)
        if self.smoke or self.quick:
            epochs, learnt_from, iterations = (2, 500, 3) if self.smoke else (20, 5000, 10)
        return learnt, simple_models(run, cases, sizes, self.seed, epochs=epochs, learnt_from=learnt_from, iterations=iterations)

    def run(self, run: Run) -> dict[str, Any]:
        data, cases = self.cases()
        learnt, baselines = self.steps(run, cases)
        results = self.results(run, self.setting, judge(cases, learnt, baselines))
        draw_report(run, "curves", data, cases, learnt, baselines)
        return results

    def report(self, run: Run) -> None:
        if run.finished:
            data, cases = self.cases()
            draw_report(run, "curves", data, cases, *self.steps(run, cases))
        else:
            draw_unfinished(run, "curves")

"""MNIST in 30 numbers: a deep autoencoder 784-1000-500-250-30, learnt layer by layer and fine-tuned, beside PCA and logistic PCA.

Paper: Hinton & Salakhutdinov, Science 313 (2006): squared error of a test image, summed over its pixels, 3.00 for the autoencoder, 8.01
for logistic PCA and 13.87 for PCA, each with 30 numbers. The paper fine-tunes by conjugate gradients on the cross-entropy; here Adam does.
A net of the same shape from random weights takes as many updates of fine-tuning. Settings were chosen on the last 10,000 training cases
(`--held-out 10000`, which never looks at the test set). Ours, times and machine: results/mnist-autoencoder.json; what was tried:
docs/recipes/mnist-autoencoder.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from harmonium.data import Dataset, mnist
from harmonium.recipes.shared.autoencoder_pictures import draw_report, draw_unfinished
from harmonium.recipes.shared.compared_autoencoders import Baseline, judge, simple_models
from harmonium.recipes.shared.deep_autoencoder import CodedLayers, Learnt, Unrolled, learn_all
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run


@dataclasses.dataclass(frozen=True)
class MnistAutoencoder(Recipe):
    """The deep autoencoder of Hinton & Salakhutdinov (2006) on MNIST, beside PCA, logistic PCA and a random start."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """Some minutes on two cores in bfloat16: 3 epochs a layer, 10 of fine-tuning; free codes of 10,000 cases."""
    layers: CodedLayers = CodedLayers(units=(1000, 500, 250, 30), epochs=20)
    tuning: Unrolled = Unrolled(epochs=100)
    beside: bool = True
    """Learn what is shown beside it as well: the random start, and the map of two numbers."""

    name: ClassVar[str] = "mnist-autoencoder"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton & Salakhutdinov 2006"
    published: ClassVar[dict[str, str]] = {
        "test_squared_error": "3.00",
        "logistic_pca_test_squared_error": "8.01",
        "pca_test_squared_error": "13.87",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_squared_error",)

    @property
    def setting(self) -> str:
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> tuple[CodedLayers, Unrolled]:
        """How the layers learn and how all of them are fine-tuned: what the options come to."""
        epochs = (1, 2) if self.smoke else (3, 10) if self.quick else (self.layers.epochs, self.tuning.epochs)
        return dataclasses.replace(self.layers, epochs=epochs[0]), dataclasses.replace(self.tuning, epochs=epochs[1])

    def cases(self) -> tuple[Dataset, Split]:
        """The data set, and what to learn from and to be judged on; a few cases only in a smoke run."""
        data = mnist.load(self.data_dir)
        cases = split(data, self.held_out, smoke=self.smoke)
        return data, dataclasses.replace(cases, images=cases.images.to(self.device), test_images=cases.test_images.to(self.device))

    def steps(self, run: Run, cases: Split) -> tuple[Learnt, list[Baseline]]:
        """What is learnt, each phase from its checkpoint where there is one: layer by layer, unrolled, fine-tuned; and simple models."""
        layers, tuning = self.plan()
        learnt = learn_all(run, cases, layers, tuning, self.seed, beside=self.beside, plane=self.beside)
        sizes, (epochs, learnt_from, iterations) = {"": self.layers.units[-1]}, (30, 60_000, 30)
        if self.smoke or self.quick:
            epochs, learnt_from, iterations = (2, 500, 3) if self.smoke else (10, 10_000, 10)
        return learnt, simple_models(run, cases, sizes, self.seed, epochs=epochs, learnt_from=learnt_from, iterations=iterations)

    def run(self, run: Run) -> dict[str, Any]:
        data, cases = self.cases()
        learnt, baselines = self.steps(run, cases)
        results = self.results(run, self.setting, judge(cases, learnt, baselines))
        draw_report(run, "digits", data, cases, learnt, baselines)
        return results

    def report(self, run: Run) -> None:
        if run.finished:
            data, cases = self.cases()
            draw_report(run, "digits", data, cases, *self.steps(run, cases))
        else:
            draw_unfinished(run, "digits")

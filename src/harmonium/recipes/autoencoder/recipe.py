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
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from harmonium.data import Dataset, mnist
from harmonium.nets import Autoencoder
from harmonium.recipes.autoencoder.pictures import sections
from harmonium.recipes.shared.deep_autoencoder import (
    CodedLayers,
    Unrolled,
    error_of,
    learn_code,
    learn_layers,
    learn_logistic_pca,
    pca,
    random_start,
    squared_error,
    tune,
)
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.report import Section, learning_curves
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report

UNIT = "per image"  # the sum over pixels of the squared error
TUNED, FROM_RANDOM, MAP = "backpropagation", "backpropagation from random weights", "backpropagation of the map"  # the phases' names


class Learnt(NamedTuple):
    """All that a run learns."""

    unrolled: float
    """The judged error of the stack as it is unrolled, before fine-tuning."""
    tuned: Autoencoder
    random: Autoencoder | None
    map: Autoencoder | None
    """With a code of two numbers."""


@dataclasses.dataclass(frozen=True)
class MnistAutoencoder(Recipe):
    """The deep autoencoder of Hinton & Salakhutdinov (2006) on MNIST, beside PCA, logistic PCA and a random start."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """Some minutes on two cores in bfloat16: 3 epochs a layer, 10 of fine-tuning, logistic PCA of 10,000 cases."""
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

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn layer by layer, unroll, fine-tune; the baselines; judge, draw."""
        data, cases = self.cases()
        learnt = learn_all(self, run, cases)
        judged, of, size = cases.test_images, cases.name, self.layers.units[-1]
        simple = baselines(self, run, cases, size)
        errors = {
            f"{of}_squared_error": squared_error(learnt.tuned, judged),
            "training_squared_error": squared_error(learnt.tuned, cases.images[: len(judged)]),
            f"unrolled_{of}_squared_error": learnt.unrolled,
            **{f"{name}_{of}_squared_error": error_of(made, judged) for name, made in simple.items()},
        }
        if learnt.random is not None:
            errors[f"random_start_{of}_squared_error"] = squared_error(learnt.random, judged)
        if learnt.map is not None:
            errors[f"map_{of}_squared_error"] = squared_error(learnt.map, judged)
            errors[f"map_pca_{of}_squared_error"] = error_of(pca(cases.images, judged, 2), judged)
        metrics: list[Metric] = [(name, error, UNIT) for name, error in errors.items()]
        results = self.results(run, self.setting, metrics)
        draw(self, run, data, cases, learnt, simple)
        return results

    def report(self, run: Run) -> None:
        if not run.finished:
            curves = Section("Learning", "", [(learning_curves(run.histories()), "each phase against its epochs")])
            write_run_report(run, summary="A deep autoencoder of MNIST", sections=[curves])
            return
        data, cases = self.cases()
        draw(self, run, data, cases, learn_all(self, run, cases), baselines(self, run, cases, self.layers.units[-1]))


def learn_all(options: MnistAutoencoder, run: Run, cases: Split) -> Learnt:
    """Each phase from its checkpoint, where there is one."""
    (layers, tuning), seed, images = options.plan(), options.seed, cases.images
    held = cases.test_images if cases.name == "validation" else None
    stack = learn_layers(run, images, layers, seed)
    net = learn_code(run, images, stack, layers, layers.units[-1], seed)
    unrolled = squared_error(net, cases.test_images)
    tune(run, TUNED, net, images, tuning, seed, held)
    if not options.beside:
        return Learnt(unrolled, net, None, None)
    random = tune(run, FROM_RANDOM, random_start(images, layers.units, seed), images, tuning, seed, held)
    plane = tune(run, MAP, learn_code(run, images, stack, layers, 2, seed), images, tuning, seed, held)
    return Learnt(unrolled, net, random, plane)


def baselines(options: MnistAutoencoder, run: Run, cases: Split, size: int) -> dict[str, Tensor]:
    """What PCA and logistic PCA with codes of this size make of the judged images: (cases, pixels) each."""
    few = options.smoke or options.quick
    logistic = learn_logistic_pca(run, cases.images, size, cases=10_000 if few else 60_000, iterations=3 if options.smoke else 30)
    codes = logistic.codes(cases.test_images.cpu().float() / 255)
    return {"pca": pca(cases.images, cases.test_images, size), "logistic_pca": logistic.means(codes)}


def draw(options: MnistAutoencoder, run: Run, data: Dataset, cases: Split, learnt: Learnt, simple: dict[str, Tensor]) -> None:
    """report.html of a finished run."""
    units = "-".join(str(size) for size in (cases.images.shape[1], *options.layers.units))
    write_run_report(
        run,
        summary=f"A deep autoencoder {units}, learnt from {len(cases.images):,} images one layer at a time, unrolled, and fine-tuned to "
        "reconstruct them",
        sections=sections(run, data, cases, learnt.tuned, learnt.random, learnt.map, simple),
    )

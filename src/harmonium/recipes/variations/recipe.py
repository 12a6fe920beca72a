"""Digits with many factors of variation, rectangles and convex sets: deep belief nets beside shallow ones and a support vector machine.

Paper: Larochelle, Erhan, Courville, Bergstra & Bengio, ICML 2007 (and the table of Vincent et al., JMLR 2010): eight data sets, 50,000
test cases each, settings chosen on validation cases. Of each set stacks of three RBMs of several widths are learnt without labels. For
DBN-1 (the lowest RBM alone), DBN-3 and NNet (the shape of DBN-1 from random weights) learning rate, weight cost and width are searched by
successive halving on the validation cases, and the best net meets the test cases once. An SVM with a Gaussian kernel is searched beside
them. By default the images are *generated* by the published procedure; `--original` takes the published files. Ours, times and machine:
results/mnist-variations.json; what was tried: docs/recipes/mnist-variations.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from harmonium.data import mnist_variations
from harmonium.data.mnist_variations import Cases, Variation
from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.shared.kept_figure import timed
from harmonium.recipes.shared.vector_machine import searched
from harmonium.recipes.variations.pictures import sections
from harmonium.recipes.variations.searched_nets import DEPTHS, TITLES, Search, learn, tested_path
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

PUBLISHED = {  # test errors in percent, of the published images
    "basic": {"svm": 3.03, "nnet": 4.69, "dbn1": 3.94, "dbn3": 3.11},
    "rot": {"svm": 11.11, "nnet": 18.11, "dbn1": 14.69, "dbn3": 10.30},
    "bg-rand": {"svm": 14.58, "nnet": 20.04, "dbn1": 9.80, "dbn3": 6.73},
    "bg-img": {"svm": 22.61, "nnet": 27.41, "dbn1": 16.15, "dbn3": 16.31},
    "rot-bg-img": {"svm": 55.18, "nnet": 62.16, "dbn1": 52.21, "dbn3": 47.39},
    "rect": {"svm": 2.15, "nnet": 7.16, "dbn1": 4.71, "dbn3": 2.60},
    "rect-img": {"svm": 24.04, "nnet": 33.20, "dbn1": 23.69, "dbn3": 22.50},
    "convex": {"svm": 19.13, "nnet": 32.25, "dbn1": 19.92, "dbn3": 18.63},
}
QUICK = ("rect", "bg-rand")
QUICK_SEARCH = Search(widths=(300,), epochs=40, trials=3, tuning_epochs=9, final_epochs=20, patience=4, costs=(5.0,))
SMOKE_SEARCH = Search((20,), epochs=1, trials=2, tuning_epochs=2, final_epochs=2, few=0, costs=(5.0,), kernel_widths=(1.0,))


def metric(name: str, kind: str) -> str:
    """Of a data set and a kind of model."""
    return f"test_error_percent_{kind}_{name.replace('-', '_')}"


@dataclasses.dataclass(frozen=True)
class MnistVariations(Recipe):
    """Deep belief nets, a shallow net and an SVM on the eight data sets of Larochelle et al. (2007), each chosen on validation cases."""

    data_dir: Path | None = None
    """Where mnist, natural-images and, with --original, the published files are, if not in $HARMONIUM_DATA or the cache."""
    sets: tuple[str, ...] = ()
    """Some of the sets; by default all eight."""
    original: bool = False
    """The published images, which have to be in the data folder; by default images are generated."""
    quick: bool = False
    """A few minutes: rect and bg-rand, one width, three trials, 10,000 test cases."""
    search: Search = Search()

    name: ClassVar[str] = "mnist-variations"
    choices: ClassVar[tuple[str, ...]] = ("quick", "original")
    paper: ClassVar[str] = "Larochelle et al. 2007"
    published: ClassVar[dict[str, str]] = {
        metric(name, kind): f"{error:.2f} (published images)" for name, errors in PUBLISHED.items() for kind, error in errors.items()
    }
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(metric(name, "dbn3") for name in PUBLISHED)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sets."""
        return self.sets or (QUICK if self.quick else mnist_variations.NAMES)

    @property
    def how(self) -> Search:
        """What the options come to."""
        return SMOKE_SEARCH if self.smoke else QUICK_SEARCH if self.quick else self.search

    def data(self, name: str) -> Variation:
        """A set; with fewer cases in a quick or a smoke run."""
        sizes = mnist_variations.KINDS[name].cases if name in mnist_variations.NAMES else (0, 0, 0)
        if self.smoke or self.quick:
            sizes = (300, 100, 200) if self.smoke else (*sizes[:2], 10_000)
        if not self.original:
            return mnist_variations.generate(name, seed=derive(self.seed, 0), cases=sizes, data_dir=self.data_dir)
        found = mnist_variations.load(name, self.data_dir)
        train, valid, test = (
            Cases(*(each[:size] for each in part)) for part, size in zip((found.train, found.valid, found.test), sizes, strict=True)
        )
        return dataclasses.replace(found, train=train, valid=valid, test=test)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each set the SVM, the shallow net, and the deep belief nets, each searched and then tested once."""
        torch.set_num_threads(self.threads)
        metrics: list[Metric] = []
        for name in self.names:
            data = self.data(name)
            found = {"svm": vector_machine(run, name, data, self.how)}
            found |= {kind: learn(run, name, kind, data, self.how, derive(self.seed, 1)) for kind in DEPTHS}
            metrics += [(metric(name, kind), outcome["test"], "%") for kind, outcome in found.items()]
        setting = "smoke" if self.smoke else "quick" if self.quick else "full"
        results = self.results(run, f"{setting}, {'published' if self.original else 'generated'} images", metrics)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        done = {name: outcomes(run, name) for name in self.names}
        done = {name: found for name, found in done.items() if len(found) == 1 + len(DEPTHS)}
        images = "the published images" if self.original else "images generated by the published procedure, not the published ones"
        write_run_report(
            run,
            summary=f"Deep belief nets, a shallow net from random weights, and a support vector machine, on {images}",
            sections=sections(done, PUBLISHED, {name: self.data(name) for name in done}),
        )


def vector_machine(run: Run, name: str, data: Variation, how: Search) -> dict[str, Any]:
    """The SVM of a set; read from the run where it is done."""
    path = tested_path(run, name, "svm")
    if not path.exists():
        with timed(run, f"{name} svm"):
            found = searched(data.train, data.valid, data.test, how.costs, how.kernel_widths)
        trials = [{"C": cost, "gamma": width, "score": error} for cost, width, error in found.tried]
        settings = {"C": found.cost, "gamma": found.width}
        write_tensors(path, {}, {"validation": found.validation, "test": found.test, "settings": settings, "trials": trials})
    return read_tensors(path)[1]


def outcomes(run: Run, name: str) -> dict[str, Mapping[str, Any]]:
    """What a run has of a set, by kind of model."""
    paths = {kind: tested_path(run, name, kind) for kind in ("svm", *TITLES)}
    return {kind: read_tensors(path)[1] for kind, path in paths.items() if path.exists()}

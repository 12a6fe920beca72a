"""CIFAR-10's small colour photographs by rectified units: filters of patches, and two nets whose layers were learnt without labels.

Papers: Krizhevsky, *Learning multiple layers of features from tiny images*, 2009, whose machine of 10,000 binary units on whole whitened
images, fine-tuned, has 64.84 % of the test images right; and *Convolutional deep belief networks on CIFAR-10*, 2010, whose rectified
layer with a cap of 6, under binary units, has 78.9 %. The images here are those that were stored as JPEG files, unless `--form original`:
their figures are not those of the original. Settings are chosen on held-out training images (`--held-out`). Ours, times and machine:
results/cifar-filters.json; the measure, the protocol and what was tried: docs/recipes/cifar-filters.md.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from harmonium.data import cifar10
from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.cifar.colour_layers import Layer
from harmonium.recipes.cifar.labelled_nets import Backpropagation
from harmonium.recipes.cifar.measured_features import (
    CONVOLUTIONAL,
    DENSE,
    OfMaps,
    OfPatches,
    OfWholeImages,
    convolutional_nets,
    filters_of_patches,
    nets_of_whole_images,
)
from harmonium.recipes.cifar.pictures import sections
from harmonium.recipes.shared.labelled_split import FEW, Split
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

SHOWN = "filters"  # the name of the checkpoint with what the report draws

BINARY = partial(Layer, reconstruction="mean")
SMOKE_PATCHES = OfPatches(Layer(20, 1, 0.01), count=1_000)
SMOKE_WHOLE = OfWholeImages(Layer(30, 1, 0.003), BINARY(20, 1, 0.01), 40, 100, tuning=Backpropagation(2, 0.005, 0.005, dropout=0.5))
SMOKE_MAPS = OfMaps(Layer(4, 1, 0.03), BINARY(5, 1, 0.05), learnt_from=50, tuning=Backpropagation(2, 0.01, 0.004, dropout=0.2, shift=2))
QUICK_PATCHES = OfPatches(Layer(128, 10, 0.01), count=50_000)
QUICK_WHOLE = OfWholeImages(Layer(1000, 10, 0.003), BINARY(500, 5, 0.01), 800, 5_000, tuning=Backpropagation(10, 0.01, 0.01, dropout=0.3))
QUICK_MAPS = OfMaps(
    Layer(32, 12, 0.03, 20), BINARY(64, 3, 0.05, 50), learnt_from=2_000, tuning=Backpropagation(3, 0.01, 0.004, batch_size=50, shift=2)
)


@dataclasses.dataclass(frozen=True)
class CifarFilters(Recipe):
    """Rectified layers of CIFAR-10: filters of patches, and nets, dense and convolutional, from learnt and from random layers."""

    form: Literal["jpeg", "original"] = "jpeg"
    """The images as they were stored in JPEG files, which is lossy, or the original ones."""
    held_out: int = 0
    """Judge on this many held-out training images, the last ones, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """Some minutes: fewer images and epochs."""
    cases: int = 50_000
    """Images to learn from, the first ones."""
    patches: OfPatches = OfPatches()
    whole: OfWholeImages = OfWholeImages()
    convolved: OfMaps = OfMaps()

    name: ClassVar[str] = "cifar-filters"
    choices: ClassVar[tuple[str, ...]] = ("quick", "form")
    paper: ClassVar[str] = "Krizhevsky 2009, 2010; Nair & Hinton 2010"
    published: ClassVar[dict[str, str]] = {
        f"test_accuracy_percent_{DENSE}": "64.84 (original images)",
        f"test_accuracy_percent_{CONVOLUTIONAL}": "78.9 (original images)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = (
        "localised_filters_percent",
        f"test_accuracy_percent_{DENSE}",
        f"test_accuracy_percent_{CONVOLUTIONAL}",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cases < 1 or not 0 <= self.held_out < 50_000:
            raise ValueError(f"expected at least one case, and 0 to 49,999 held out, found cases={self.cases}, held_out={self.held_out}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        length = "smoke" if self.smoke else "quick" if self.quick else "full"
        return length if self.form == "jpeg" else f"{length}, {self.form} images"

    def plan(self) -> CifarFilters:
        """What the options come to."""
        if self.smoke:
            return dataclasses.replace(self, cases=min(self.cases, FEW), patches=SMOKE_PATCHES, whole=SMOKE_WHOLE, convolved=SMOKE_MAPS)
        if self.quick:
            return dataclasses.replace(self, cases=min(self.cases, 10_000), patches=QUICK_PATCHES, whole=QUICK_WHOLE, convolved=QUICK_MAPS)
        return self

    def split(self) -> Split:
        """What to learn from and to be judged on."""
        data = cifar10.load(self.form, self.data_dir)
        end = len(data.train_images) - self.held_out
        judged = (data.train_images[end:], data.train_labels[end:]) if self.held_out else (data.test_images, data.test_labels)
        few = slice(None, None, max(1, len(judged[0]) // FEW) if self.smoke else None)  # test images may come class by class
        kept = slice(min(end, self.plan().cases))
        return Split(
            data.train_images[kept], data.train_labels[kept], judged[0][few], judged[1][few], "validation" if self.held_out else "test"
        )

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: filters of patches, then the nets of whole images and the convolutional ones; the report is drawn of all."""
        torch.set_num_threads(self.threads)
        plan, cases = self.plan(), self.split()
        metrics: list[Metric] = []
        shown: dict[str, Tensor] = {}
        for found, pictures in (
            filters_of_patches(run, plan.patches, cases, plan.device, derive(plan.seed, 1)),
            nets_of_whole_images(run, plan.whole, cases, plan.device, derive(plan.seed, 2)),
            convolutional_nets(run, plan.convolved, cases, plan.device, derive(plan.seed, 3)),
        ):
            metrics += found
            shown |= pictures
        write_tensors(run.checkpoint(SHOWN), shown, {})
        results = self.results(run, self.setting, metrics, lossy=self.form == "jpeg")
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        path = run.checkpoint(SHOWN)
        write_run_report(
            run,
            summary="Small colour photographs of ten classes: rectified features that were learnt without labels from whitened patches and "
            "whitened images, and nets fine-tuned from them and from random weights",
            sections=sections(run, read_tensors(path)[0] if path.exists() else {}),
        )

"""How wide should the layers be? MNIST's test error for deep belief nets of several shapes, several seeds each.

The tutorial (IPAM 2012): "results are fairly robust against changes in the size of a layer, but the top layer should be big". Three layers
are learnt greedily and fine-tuned by backpropagation as in mnist-dbn; the nets of a shape learn as replicas. No figures were published.
Protocol: docs/recipes/layer-size.md.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from statistics import stdev
from typing import Any, ClassVar

from harmonium.data import mnist
from harmonium.recipes.layer_size.pictures import sections
from harmonium.recipes.layer_size.replicated_stacks import Judged, judge_shape, sizes_of
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.recipes.shared.stack import Layers, Tuning
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

CLASSES = 10
SHAPES = ("500-500-2000", "500-500-500", "500-500-1000", "1000-500-500", "2000-500-500", "250-250-1000", "1000-250-250", "500-500-100")


@dataclasses.dataclass(frozen=True)
class LayerSize(Recipe):
    """The test error of deep belief nets on MNIST by the sizes of their layers."""

    shapes: tuple[str, ...] = SHAPES
    """Hidden units of each layer from the bottom, of each net."""
    seeds: int = 3
    """Nets of each shape."""
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """Some minutes: four shapes of a quarter of the size, two seeds, 5 epochs a layer and 8 of backpropagation."""
    layers: Layers = Layers(units=(1,), epochs=15, early_momentum=0.5)
    """How each layer is learnt, whatever its size; the momentum is the early one throughout."""
    tuning: Tuning = Tuning(epochs=20, learning_rate=0.1, momentum=0.9, decay=0.93)

    name: ClassVar[str] = "layer-size"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "none: the tutorial (IPAM 2012) gives no figures"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent_500_500_2000", "test_error_percent_2000_500_500")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shapes or self.seeds < 1:
            raise ValueError(f"expected a shape and a seed at least, found shapes={self.shapes} and seeds={self.seeds}")
        for shape in self.shapes:
            sizes_of(shape)

    def planned(self) -> tuple[str, tuple[str, ...], int, Layers, Tuning]:
        """The setting's name, the shapes, the number of seeds, and how layers and nets learn."""
        if self.smoke:
            layers, tuning = dataclasses.replace(self.layers, epochs=1), dataclasses.replace(self.tuning, epochs=2, head_epochs=1)
            return "smoke", ("12-8", "8-12"), 2, layers, tuning
        if self.quick:
            layers, tuning = dataclasses.replace(self.layers, epochs=5), dataclasses.replace(self.tuning, epochs=8, decay=0.8)
            return "quick", ("125-125-500", "125-125-125", "500-125-125", "125-125-25"), 2, layers, tuning
        return "full", self.shapes, self.seeds, self.layers, self.tuning

    def cases(self) -> Split:
        """What to learn from and to be judged on; a few cases only in a smoke run."""
        return split(mnist.load(self.data_dir), self.held_out, smoke=self.smoke)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each shape, stacks of all seeds, backpropagation, errors; then the picture."""
        setting, shapes, count, layers, tuning = self.planned()
        cases, seeds = self.cases(), [derive(self.seed, number) for number in range(count)]
        found = [judge_shape(run, shape, cases, layers, tuning, seeds, CLASSES, self.device) for shape in shapes]
        judged = [dataclasses.asdict(each) for each in found]
        results = self.results(run, setting, metrics(found, cases.name), judged=judged)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        found = [Judged(**each) for each in run.results()["judged"]] if run.finished else []
        write_run_report(
            run, summary="Deep belief nets of several shapes on MNIST, fine-tuned by backpropagation", sections=sections(run, found)
        )


def metrics(found: list[Judged], split_name: str) -> list[Metric]:
    """The mean error of each shape, and its standard deviation over the seeds."""
    named: list[Metric] = []
    for each in found:
        name = f"{split_name}_error_percent_{each.shape.replace('-', '_')}"
        spread = stdev(each.errors) if len(each.errors) > 1 else math.nan
        named += [(name, each.mean, "%"), (f"{name}_sd", spread, "%")]
    return named

"""Toys recognised from features learnt without labels, on the tutorial's reduced NORB: pixels, and one and two layers of rectified units.

Source: G. Hinton's tutorial on deep learning (IPAM 2012): of the test cases of small NORB, reduced to one image of 32 x 32 pixels, logistic
regression gets 30.2 % wrong from pixels, 14.9 % from a first and 10.2 % from a second layer of rectified units that were learnt one at a
time, without labels and without fine-tuning. NORB is LeCun, Huang & Bottou's (CVPR 2004). Where its files are not, the recipe draws toy
objects in its place, once, and the records say so. Settings are chosen on training toys held out (`--tuning`). Ours, times and machine:
results/norb-reduced.json; the protocol and what was tried: docs/recipes/norb-reduced.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from harmonium.data.norb import reduced
from harmonium.recipes.norb_reduced import other_machines
from harmonium.recipes.norb_reduced.other_machines import Baselines
from harmonium.recipes.norb_reduced.pictures import ORDER, sections
from harmonium.recipes.norb_reduced.reduced_views import drawn
from harmonium.recipes.shared.feature_layers import Features, Kind, Split, layers
from harmonium.recipes.shared.kept_figure import kept
from harmonium.recipes.shared.logistic_error import Readout, error_percent
from harmonium.recipes.shared.norb_pairs import Objects, load
from harmonium.recipes.shared.norb_views import Views, chosen, split
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive


@dataclasses.dataclass(frozen=True)
class NorbReduced(Recipe):
    """Reduced NORB, or toy objects, by logistic regression on pixels and on two layers of rectified or binary features, and by others."""

    objects: Objects = "auto"
    """NORB, toy objects, or NORB where its files are and toy objects elsewhere."""
    data_dir: Path | None = None
    """Where NORB's files are, if not in $HARMONIUM_DATA."""
    tuning: bool = False
    """Judge on one training toy of each category, which is not learnt from: for choosing settings."""
    quick: bool = False
    """A few minutes: fewer views and units."""
    views: int = 24_300
    """To learn from, and as many to be judged on."""
    rectified: Features = Features(units=4000, epochs=15, gain=3.0, gain_above=3.0, learning_rate=2e-5, rate_above=2e-5, batch_size=100)
    binary: Features = Features(units=4000, epochs=15, gain=1.0, gain_above=1.0, learning_rate=3e-4, rate_above=1.5e-3, batch_size=100)
    readout: Readout = Readout(raw=0.03)
    others: Baselines = Baselines()

    name: ClassVar[str] = "norb-reduced"
    choices: ClassVar[tuple[str, ...]] = ("quick", "objects")
    paper: ClassVar[str] = "Hinton, tutorial on deep learning, IPAM 2012"
    published: ClassVar[dict[str, str]] = {
        "test_error_percent_pixels": "30.2 (NORB)",
        "test_error_percent_layer_1": "14.9 (NORB)",
        "test_error_percent_layer_2": "10.2 (NORB)",
    }
    headline_metrics: ClassVar[tuple[str, ...]] = (
        "test_error_percent_layer_2",
        "test_error_percent_layer_1",
        "test_error_percent_pixels",
        "test_error_percent_binary_layer_1",
        "test_error_percent_binary_layer_2",
    )

    def plan(self) -> NorbReduced:
        """What the options come to."""
        if self.smoke:
            short = dataclasses.replace(self.others, neighbours=(1,), costs=(1.0,), widths=(1.0,), epochs=1)
            return self._smaller(units=20, epochs=2, faster=1, others=short)
        if self.quick:  # with a fifth of the updates, each is five times as large
            return self._smaller(units=500, epochs=self.rectified.epochs, faster=5, views=self.views // 5)
        return self

    def _smaller(self, *, units: int, epochs: int, faster: int, **changes: Any) -> NorbReduced:
        rectified, binary = (
            dataclasses.replace(
                how, units=units, epochs=epochs, learning_rate=faster * how.learning_rate, rate_above=faster * how.rate_above
            )
            for how in (self.rectified, self.binary)
        )
        return dataclasses.replace(self, rectified=rectified, binary=binary, **changes)

    def cases(self, run: Run) -> tuple[Views, bool]:
        """The views, and whether they are of toy objects."""
        if self.smoke and self.data_dir is None:
            return drawn(), True
        pairs, toys = load(run, "small", self.objects, self.data_dir)
        return chosen(pairs, 60 if self.smoke else self.plan().views, derive(self.seed, 0), reduced), toys

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: the error from pixels, from each layer and of each other machine; then the report."""
        torch.set_num_threads(self.threads)
        plan, (views, toys) = self.plan(), self.cases(run)
        rows = split(views, self.seed, tuning=self.tuning)
        found = {}
        for name, values in representations(run, plan, views, rows):
            penalty = plan.readout.raw if name == "pixels" else plan.readout.features
            found[name] = kept(run, f"{name} error", partial(error_percent, values, views.categories, rows, penalty))
        found |= other_machines.errors(run, views, plan.others, self.seed, tuning=self.tuning)
        part = "validation" if self.tuning else "test"
        metrics: list[Metric] = [(f"{part}_error_percent_{name}", found[name], "%") for name in ORDER]
        results = self.results(run, self.setting(toys=toys), metrics, errors=found, toys=toys)
        self.report(run)
        return results

    def setting(self, *, toys: bool) -> str:
        """What the records call these options."""
        named = "smoke" if self.smoke else "quick" if self.quick else "" if toys else "full"
        return ", ".join(filter(None, (named, "toy objects" if toys else "")))

    def report(self, run: Run) -> None:
        views, toys = self.cases(run)
        found: dict[str, float] = run.results()["errors"] if run.finished else {}
        write_run_report(
            run,
            summary=f"Images of {'toy objects, which are drawn,' if toys else 'NORB'} recognised by logistic regression from pixels and "
            "from two layers of features that were learnt without labels, and by machines that learn from labels alone. No toy that is "
            "judged on was learnt from",
            sections=sections(run, views, found, toys=toys),
        )


def representations(run: Run, plan: NorbReduced, views: Views, rows: Split) -> Iterator[tuple[str, Tensor]]:
    """The name of each representation, and all views in it; the features of a kind are learnt when they are asked for.

    Parameters
    ----------
    run, plan
        The folder of the run, and how the layers learn.
    views, rows
        All views, (views, pixels), and which of them are learnt from.
    """
    yield "pixels", views.pixels
    kinds: tuple[tuple[str, Kind, Features, bool], ...] = (
        ("", "rectified", plan.rectified, True),
        ("binary_", "binary", plan.binary, True),
        ("random_", "rectified", plan.rectified, False),
    )
    for place, (word, kind, how, learn) in enumerate(kinds):
        made = layers(run, kind, views.pixels, rows, how, "", derive(plan.seed, 1, place), learn=learn)
        yield from ((f"{word}layer_{above}", values) for above, values in enumerate(made, 1))

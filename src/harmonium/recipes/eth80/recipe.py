"""Real toys recognised from features learnt without labels: rectified units against binary ones, on ETH-80.

Paper: Nair & Hinton, *Rectified linear units improve restricted Boltzmann machines*, ICML 2010, whose real-valued images are those of NORB;
the tutorial's slides (IPAM 2012) have 30.2 % of the test errors from pixels, 14.9 from a first and 10.2 from a second layer of rectified
units, with logistic regression and without fine-tuning. ETH-80 (Leibe & Schiele 2003) is the counterpart that can be had: 80 toys of 8
categories, of which half of each category is learnt from. Settings are chosen on other divisions of the toys (`--tuning`). Ours, times and
machine: results/eth80.json; the protocol and what was tried: docs/recipes/eth80.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from harmonium.data import eth80
from harmonium.data.eth80 import TOYS, Views
from harmonium.files import read_tensors, write_tensors
from harmonium.recipes.eth80.judging import Errors, errors, few, metrics, split_of
from harmonium.recipes.eth80.pictures import sections
from harmonium.recipes.shared.feature_layers import Features, Kind, Split, phase
from harmonium.recipes.shared.logistic_error import Readout
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

KINDS: tuple[Kind, ...] = ("rectified", "binary")


@dataclasses.dataclass(frozen=True)
class Eth80(Recipe):
    """ETH-80's toys by logistic regression on pixels and on two layers of rectified or binary features."""

    splits: int = 20
    """Divisions of the toys into those learnt from and those judged on, each with its own layers."""
    held_out: int = 5
    """Toys of each category that are judged on, out of ten."""
    tuning: bool = False
    """Judge on other divisions than those reported: for choosing settings."""
    data_dir: Path | None = None
    """Where eth80_grey_96.npz is, if not in $HARMONIUM_DATA."""
    quick: bool = False
    """Three divisions."""
    rectified: Features = Features(units=1000, epochs=15, gain=3.0, gain_above=3.0, learning_rate=2e-5, rate_above=2e-5)
    binary: Features = Features(units=1000, epochs=15, gain=1.0, gain_above=1.0, learning_rate=1e-3, rate_above=0.005)
    readout: Readout = Readout()

    name: ClassVar[str] = "eth80"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Nair & Hinton 2010; Hinton, tutorial on deep learning, IPAM 2012"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = (
        "test_error_percent_pixels",
        "test_error_percent_layer_1",
        "test_error_percent_layer_2",
        "test_error_percent_binary_layer_1",
        "test_error_percent_binary_layer_2",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.splits < 1 or not 1 <= self.held_out < TOYS:
            raise ValueError(f"expected at least one split, and 1 to 9 toys held out, found splits={self.splits}, held_out={self.held_out}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    @property
    def count(self) -> int:
        """Of the splits."""
        return min(self.splits, 2) if self.smoke else min(self.splits, 3) if self.quick else self.splits

    @property
    def judged_on(self) -> str:
        """What the metrics' names begin with."""
        return "validation" if self.tuning else "test"

    def how(self) -> dict[Kind, Features]:
        """How the layers of each kind are learnt."""
        found = dict(zip(KINDS, (self.rectified, self.binary), strict=True))
        return {kind: dataclasses.replace(each, units=20, epochs=2) if self.smoke else each for kind, each in found.items()}

    def split(self, views: Views, number: int) -> Split:
        """The toys that are learnt from and judged on."""
        found = split_of(views, self.held_out, derive(self.seed, 1 if self.tuning else 0, number) % 2**31)
        return few(found, views.categories, 12) if self.smoke else found

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each division the layers and the errors; then the means, and the report."""
        torch.set_num_threads(self.threads)
        views = eth80.load(self.data_dir)
        found = [self.errors(run, views, number) for number in range(self.count)]
        by_name: Errors = {what: [each[what] for each in found] for what in found[0]}
        results = self.results(run, self.setting, metrics(by_name, self.judged_on), errors=by_name)
        self.report(run)
        return results

    def errors(self, run: Run, views: Views, number: int) -> Mapping[str, float]:
        """Of one division; read from the run where they are there. Only the first one's layers are kept."""
        name = f"split {number + 1}"
        path = run.checkpoint(f"{name} errors")
        if not path.exists():
            found = errors(run, views, self.split(views, number), self.how(), self.readout, name, derive(self.seed, 2, number))
            write_tensors(path, {}, found)
            for kind in KINDS if number else ():
                for place in range(2):
                    run.checkpoint(phase(name, kind, place)).unlink()
        return read_tensors(path)[1]

    def report(self, run: Run) -> None:
        found: Errors = run.results()["errors"] if run.finished else {}
        write_run_report(
            run,
            summary="Photographs of eighty toys of eight categories, recognised by logistic regression from pixels, silhouettes, and two "
            "layers of features that were learnt without labels. No toy that is judged on was learnt from",
            sections=sections(run, found),
        )

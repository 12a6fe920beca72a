"""Whitened patches of photographs as a density: RBMs with Gaussian visible units against mixtures of factor analysers.

Papers: the tutorial (G. Hinton, IPAM 2012) calls an RBM with Gaussian visible and rectified linear hidden units "a competitor to a mixture
of factor analysers as a density model, but MFA usually wins". Melchior, Wang & Wiskott (PLOS ONE 2017) measure -270.83 nats on 14 x 14
patches with a Gaussian-binary RBM of 196 hidden units (`--binary-alone`). Theirs are patches of van Hateren's photographs; ours are of
thirteen others, so the figures are not comparable: nats of white patches depend on the photographs. Ours, times and machine:
results/patches.json; the protocol and what was tried: docs/recipes/patches.md.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar

import torch

from harmonium.data import natural_images
from harmonium.recipes.patches.densities import (
    ORDER,
    Effort,
    Judged,
    Mixtures,
    judge_gaussian,
    judge_machine,
    judge_mixtures,
    judged_path,
    metrics,
    of,
    read,
)
from harmonium.recipes.patches.machines import MACHINES, Features
from harmonium.recipes.patches.pictures import sections
from harmonium.recipes.patches.white_patches import Cut, White, cut
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.options import EARLIER
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

SIDES = ("8x8", "14x14")
OF_THE_MEAN = 0.5 * math.log(2 * math.pi * math.e)  # nats lost by one more number that is white noise


@dataclasses.dataclass(frozen=True)
class Patches(Recipe):
    """Whitened patches by Gaussian-binary and Gaussian-rectified RBMs, mixtures of factor analysers and of Gaussians."""

    tuning: bool = False
    """Judge on a quarter of each photograph that the reported models learn from, for choosing settings; of the larger patches on others."""
    data_dir: Path | None = None
    """Where the photographs are, if not in $HARMONIUM_DATA."""
    quick: bool = False
    """A quarter of the patches, with a fifth of the updates."""
    binary_alone: bool = dataclasses.field(default=False, metadata={EARLIER: False})
    """Of all models the one that has a published figure: binary units on patches of 14 x 14, beside one Gaussian."""
    small: Cut = Cut(side=8, components=40, cases=40_000, judged=10_000, apart=True)
    large: Cut = Cut(side=14, components=195, cases=40_000, judged=30_000, apart=False)
    """As published, but that the direction of the subtracted mean, which is noise there, is left out."""
    small_units: int = 128
    large_units: int = 196
    small_updates: int = 12_000
    large_updates: int = 20_000
    binary: Features = Features(learning_rate=0.3, norm=4.0, bias=-6.0)
    stepped: Features = Features(learning_rate=0.05, norm=1.0, bias=-2.5, bound=1.0)
    rectified: Features = Features(learning_rate=0.02, norm=1.0, bias=-1.5, bound=1.0)
    small_mixtures: Mixtures = Mixtures(components=20, factors=10, iterations=40)
    large_mixtures: Mixtures = Mixtures(components=10, factors=15, iterations=40)

    name: ClassVar[str] = "patches"
    choices: ClassVar[tuple[str, ...]] = ("quick", "binary_alone")
    paper: ClassVar[str] = "Hinton, tutorial on deep learning, IPAM 2012; Melchior, Wang & Wiskott 2017"
    published: ClassVar[dict[str, str]] = {"test_nats_gaussian_binary_14x14_of_196_numbers": "-270.83 (other photographs)"}
    headline_metrics: ClassVar[tuple[str, ...]] = (*(f"test_nats_{name}" for name in ORDER), *published)

    @property
    def setting(self) -> str:
        """What the records call these options."""
        size = "smoke" if self.smoke else "quick" if self.quick else "full"
        return f"{size}, binary units of 14x14 alone" if self.binary_alone else size

    @property
    def judged_on(self) -> str:
        """What the metrics' names begin with."""
        return "validation" if self.tuning else "test"

    @property
    def effort(self) -> Effort:
        """Of annealing."""
        return Effort(20, 10, 10) if self.smoke else Effort(250, 100) if self.quick else Effort(1000, 300)

    def how(self, name: str) -> Features:
        """How a machine learns."""
        return dict(zip(MACHINES, (self.binary, self.stepped, self.rectified), strict=True))[name]

    def sizes(self, where: str) -> tuple[Cut, int, int, Mixtures]:
        """How patches are cut, and the hidden units, the updates and the mixtures that learn them."""
        small = where == SIDES[0]
        how, units, updates, mixtures = (
            (self.small, self.small_units, self.small_updates, self.small_mixtures)
            if small
            else (self.large, self.large_units, self.large_updates, self.large_mixtures)
        )
        if self.smoke:
            return dataclasses.replace(how, cases=400, judged=100), 10, 8, Mixtures(2, 2, 2, 1, iterations=2)
        if self.quick:
            how = dataclasses.replace(how, cases=how.cases // 4, judged=how.judged // 4)
            return how, units, updates // 5, dataclasses.replace(mixtures, components=mixtures.components // 2, iterations=25)
        return how, units, updates, mixtures

    def patches(self, where: str) -> White:
        """White patches to learn from and to be judged on."""
        photographs = natural_images.load(self.data_dir)
        how = self.sizes(where)[0]
        if self.tuning and how.apart:
            photographs = [image[:, : 3 * image.shape[1] // 4] for image in photographs]
        return cut(photographs, how, derive(self.seed, 1 if self.tuning else 0, SIDES.index(where)))

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: for each size of patches the mixtures and the machines, learnt and judged; then the report."""
        torch.set_num_threads(self.threads)
        figures: list[Metric] = []
        verdicts: dict[str, tuple[str, str]] = {}
        machines = MACHINES[:1] if self.binary_alone else MACHINES
        for where in SIDES[1:] if self.binary_alone else SIDES:
            _, units, updates, mixtures = self.sizes(where)
            white, seed = self.patches(where), derive(self.seed, 2, SIDES.index(where))
            judge_gaussian(run, white, where)
            if not self.binary_alone:
                judge_mixtures(run, white, mixtures, where, derive(seed, 0))
            for place, name in enumerate(machines, 1):
                judge_machine(run, name, white, units, self.how(name), updates, self.effort, where, derive(seed, place))
            found = judged(run, where)
            figures += metrics(found, where, self.judged_on)
            verdicts |= {f"{self.judged_on}_nats_{name}{of(where)}": tuple(found[name].header["verdict"]) for name in machines}
            if where == SIDES[1]:
                of_binary = f"{self.judged_on}_nats_{MACHINES[0]}{of(where)}"
                whole = next(value for name, value, _ in figures if name == of_binary) - OF_THE_MEAN
                figures.append((f"{of_binary}_of_196_numbers", whole, "nats"))
                verdicts[f"{of_binary}_of_196_numbers"] = verdicts[of_binary]
        results = self.results(run, self.setting, figures, verdicts)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        write_run_report(
            run,
            summary="Whitened patches of photographs, learnt by RBMs with real-valued visible units and by mixtures, and judged by the "
            "mean log-density of other patches. Log Z of an RBM is an estimate, of which the lowest likelihood counts; mixtures are exact",
            sections=sections(run, {where: judged(run, where) for where in SIDES}),
        )


def judged(run: Run, where: str) -> dict[str, Judged]:
    """The models that were judged so far."""
    return {name: read(run, name, where) for name in ORDER if judged_path(run, name, where).exists()}

"""Digits clustered without labels: an implicit mixture of RBMs beside k-means and a mixture of Bernoullis.

Paper: Nair & Hinton, *Implicit mixtures of restricted Boltzmann machines*, NIPS 2008: on MNIST and NORB, components of a mixture of RBMs
come to stand for classes that no label told of. No figure of it is comparable here, so the bars are two other clusterings with as many
components: k-means, and what the mixture would be without hidden units. All learn from the training images and are judged on the test
images. Ours, times and machine: results/implicit-mixture.json; what was tried: docs/recipes/implicit-mixture.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch

from harmonium.data import mnist
from harmonium.files import read_tensors
from harmonium.learning import fit
from harmonium.models import MixtureOfRBMs
from harmonium.models.saving import restore
from harmonium.recipes.implicit_mixture.clusterings import METHODS, bernoullis, clusters, k_means, metrics
from harmonium.recipes.implicit_mixture.pictures import sections
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive
from harmonium.units import Bernoulli

PHASE = "mixture"


@dataclasses.dataclass(frozen=True)
class ImplicitMixture(Recipe):
    """MNIST's digits in twenty clusters: an implicit mixture of RBMs beside k-means and a mixture of Bernoullis."""

    components: int = 20
    """Clusters, of each method."""
    hidden: int = 100
    """Hidden units of each component."""
    updates: int = 1500
    """Of the mixture, by CD-1 with the library's own rates, temperature and balance."""
    temperature: float | None = None
    """Of the responsibilities at first; by default the library's own."""
    starts: int = 5
    """Of k-means and of the mixture of Bernoullis, of which the best by their own measure is judged."""
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A few minutes: 10,000 training images, 50 hidden units and 1,000 updates."""

    name: ClassVar[str] = "implicit-mixture"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Nair & Hinton 2008"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = (
        "test_purity_percent",
        "test_purity_percent_k_means",
        "test_purity_percent_bernoullis",
        "test_nmi",
        "test_nmi_k_means",
        "test_nmi_bernoullis",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.components, self.hidden, self.updates, self.starts) < 1:
            raise ValueError(
                "expected at least one component, hidden unit, update and start, found "
                f"components={self.components}, hidden={self.hidden}, updates={self.updates}, starts={self.starts}"
            )

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> ImplicitMixture:
        """What the options come to."""
        if self.smoke:
            return dataclasses.replace(self, components=4, hidden=5, updates=20, starts=2)
        return dataclasses.replace(self, hidden=50, updates=1000) if self.quick else self

    def cases(self) -> Split:
        """What to learn from and to be judged on."""
        found = split(mnist.load(self.data_dir), self.held_out, smoke=self.smoke)
        return dataclasses.replace(found, images=found.images[:10_000], labels=found.labels[:10_000]) if self.quick else found

    def mixture(self) -> MixtureOfRBMs:
        """As it is before learning."""
        visible = Bernoulli(784, values="probabilities")
        return MixtureOfRBMs(visible, self.hidden, self.components, temperature=self.temperature, seed=derive(self.seed, 0))

    def learnt(self, run: Run) -> MixtureOfRBMs:
        """The mixture as far as a run has learnt it. FileNotFoundError before the first checkpoint."""
        mixture = self.plan().mixture()
        restore(mixture, read_tensors(run.checkpoint(PHASE))[0], "model.")
        return mixture

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the mixture without labels, cluster the judged images by each method, compare with their classes, draw."""
        torch.set_num_threads(self.threads)
        plan, cases = self.plan(), self.cases()
        mixture = plan.mixture().to(self.device)
        fit(
            mixture,
            cases.images.to(self.device),
            updates=plan.updates,
            precision=run.precision,
            seed=derive(self.seed, 1),
            callbacks=run.callbacks(PHASE),
            checkpoint=run.checkpoint(PHASE),
            progress=False,
        )
        images, judged = (each.float() / 255 for each in (cases.images, cases.test_images))
        ways = {
            "mixture": lambda: mixture.cluster(judged.to(self.device)).cpu(),
            "k_means": lambda: k_means(images, judged, plan.components, starts=plan.starts, seed=derive(self.seed, 2)),
            "bernoullis": lambda: bernoullis(images, judged, plan.components, starts=plan.starts, seed=derive(self.seed, 3)),
        }
        found = {name: clusters(run, name, ways[name]) for name in METHODS}
        results = self.results(run, self.setting, metrics(found, cases.test_labels, plan.components, cases.name))
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        plan, cases = self.plan(), self.cases()
        paths = {name: run.checkpoint(f"{name} clusters") for name in METHODS}
        found = {name: read_tensors(path)[0]["clusters"] for name, path in paths.items() if path.exists()}
        write_run_report(
            run,
            summary=f"Digits in {plan.components} clusters, found without labels by a mixture of RBMs of {plan.hidden} hidden units each, "
            "by k-means and by a mixture of Bernoullis",
            sections=sections(self.learnt(run), cases.test_images.float() / 255, cases.test_labels, found),
        )

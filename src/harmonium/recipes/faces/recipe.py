"""Faces in 30 numbers: a deep autoencoder 625-2000-1000-500-30 of real-valued pixels, beside PCA and a random start.

Paper: Hinton & Salakhutdinov, Science 313 (2006): turned and scaled pieces of the Olivetti photographs, 124,200 of 30 people to learn from
and 41,400 of ten others to be judged on; squared error of a test image 126 for the autoencoder and 135 for PCA, each with 30 numbers. Here
the photographs are the same (ORL's forty people), and the pieces are cut by this package, so that figures compare with those published
only roughly. The lowest layer is of real-valued units. Settings were chosen on the last five of the thirty people (`--held-out 20700`).
Ours, times and machine: results/faces-autoencoder.json; what was tried: docs/recipes/faces-autoencoder.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from harmonium.data.orl_faces import OF_EACH
from harmonium.recipes.faces.crops import Pieces, load, varied
from harmonium.recipes.shared.autoencoder_pictures import draw_report, draw_unfinished
from harmonium.recipes.shared.compared_autoencoders import Baseline, judge, principal
from harmonium.recipes.shared.deep_autoencoder import CodedLayers, Learnt, Unrolled, learn_all
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.runs.contract import Recipe
from harmonium.runs.folder import Run


@dataclasses.dataclass(frozen=True)
class FacesAutoencoder(Recipe):
    """The deep autoencoder of Hinton & Salakhutdinov (2006) on pieces of faces, beside PCA and a random start."""

    held_out: int = 0
    """Judge on this many held-out training images, of the last people, not on the test images: for choosing settings."""
    data_dir: Path | None = None
    """Where the folder att_faces is, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """A quarter of an hour: 160 pieces of a photograph and not 414, 12 epochs a layer, 10 of fine-tuning."""
    copies: int = 414
    """Pieces of each photograph."""
    varied: bool = True
    """Let the nets learn from pieces that are mirrored at random, and whose contrast and brightness are changed at random."""
    layers: CodedLayers = CodedLayers(units=(2000, 1000, 500, 30), epochs=20, learning_rate=0.01, first_rate=0.001, scale=0.05)
    tuning: Unrolled = Unrolled(epochs=15, weight_cost=0.003)
    beside: bool = True
    """Learn the random start as well."""

    name: ClassVar[str] = "faces-autoencoder"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton & Salakhutdinov 2006"
    published: ClassVar[dict[str, str]] = {"test_squared_error": "126 (other pieces)", "pca_test_squared_error": "135 (other pieces)"}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_squared_error", "pca_test_squared_error")

    def __post_init__(self) -> None:
        super().__post_init__()
        of_one = OF_EACH * self.plan()[0]
        if self.copies < 1 or self.held_out % of_one:
            raise ValueError(
                f"each photograph has a piece, and whole people of {of_one} images each are held out, found copies={self.copies} and "
                f"held_out={self.held_out}"
            )

    @property
    def setting(self) -> str:
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> tuple[int, CodedLayers, Unrolled]:
        """Pieces of a photograph, and how the layers learn and are fine-tuned: what the options come to."""
        full = self.copies, self.layers.epochs, self.tuning.epochs
        copies, epochs, tuning = (2, 1, 2) if self.smoke else (min(160, self.copies), 12, 10) if self.quick else full
        return copies, dataclasses.replace(self.layers, epochs=epochs), dataclasses.replace(self.tuning, epochs=tuning)

    def cases(self) -> tuple[Pieces, Split]:
        """The images, and what to learn from and to be judged on; a few cases only in a smoke run."""
        made = load(self.plan()[0], self.data_dir)
        cases = split(made.data, self.held_out, smoke=self.smoke)
        return made, dataclasses.replace(cases, images=cases.images.to(self.device), test_images=cases.test_images.to(self.device))

    def steps(self, run: Run, cases: Split) -> tuple[Learnt, list[Baseline]]:
        """What is learnt, each phase from its checkpoint where there is one: layer by layer, unrolled, fine-tuned; and PCA."""
        _, layers, tuning = self.plan()
        seen = dataclasses.replace(cases, images=varied(cases.images.cpu(), self.seed).to(cases.images.device)) if self.varied else cases
        learnt = learn_all(run, seen, layers, tuning, self.seed, beside=self.beside)
        return learnt, [principal(cases, layers.units[-1])]

    def run(self, run: Run) -> dict[str, Any]:
        made, cases = self.cases()
        learnt, baselines = self.steps(run, cases)
        results = self.results(run, self.setting, judge(cases, learnt, baselines))
        draw_report(run, "faces", made.data, cases, learnt, baselines, made.as_grey)
        return results

    def report(self, run: Run) -> None:
        if run.finished:
            made, cases = self.cases()
            draw_report(run, "faces", made.data, cases, *self.steps(run, cases), made.as_grey)
        else:
            draw_unfinished(run, "faces")

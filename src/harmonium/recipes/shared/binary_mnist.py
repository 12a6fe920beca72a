"""What recipes have in common that learn one model of MNIST's binary images and judge it in nats."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from pathlib import Path
from typing import Any, cast

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from harmonium.data import mnist
from harmonium.likelihood import Evaluation
from harmonium.models import Generative
from harmonium.report import Section, fantasies, learning_curves, write_report
from harmonium.runs.contract import Recipe, headlines
from harmonium.runs.folder import REPORT, SAMPLES, Run
from harmonium.sampling import film


@dataclasses.dataclass(frozen=True)
class BinaryMnist(Recipe):
    """A model of MNIST's binary images."""

    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""

    @abstractmethod
    def learnt(self, run: Run) -> Generative:
        """The model as far as a run has learnt it. ValueError before the first checkpoint."""

    @abstractmethod
    def judge(self, run: Run, model: Any, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How probable the model makes the judged images, drawn into evaluation.png."""

    @abstractmethod
    def features(self, model: Generative) -> list[tuple[Figure, str]]:
        """Pictures of what its units have learnt, with their captions."""

    @abstractmethod
    def summary(self) -> str:
        """What the model is, and how it was learnt."""

    def sections(self, results: dict[str, Any]) -> list[Section]:
        """What a finished run's report begins with."""
        return [Section("How good is it?", results["likelihood"])]

    @property
    def split(self) -> str:
        """The images that it is judged on."""
        return "validation" if self.held_out else "test"

    def cases(self) -> tuple[Tensor, Tensor]:
        """Grey images to learn from, and those to be judged on: (cases, 784) uint8."""
        data = mnist.load(self.data_dir)
        images, judged = data.train_images, data.test_images
        if self.held_out:
            images, _, judged, _ = data.hold_out(self.held_out)
        images, judged = (images[:400], judged[:200]) if self.smoke else (images, judged)
        return images.to(self.device), judged.to(self.device)

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        return self.judge(run, cast(nn.Module, self.learnt(run)).to(self.device), betas=betas, chains=chains, sweeps=sweeps)

    def fantasies(self, model: Generative, *, steps: int, seed: int) -> Figure:
        """Ten free chains, begun at draws from the units' own biases, a row a chain; ten frames, `steps` sweeps apart."""
        generator = torch.Generator().manual_seed(seed)
        shown = film(model, 10, frames=10, steps=steps, generator=generator).reshape(10, 10, 28, 28)
        return fantasies(shown, steps=range(steps, 10 * steps + 1, steps))

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        path = run.folder / SAMPLES
        self.fantasies(self.learnt(run), steps=steps, seed=seed).savefig(path, dpi=110)
        return path

    def report(self, run: Run) -> None:
        model, results = self.learnt(run), run.results() if run.finished else None
        facts: dict[str, object] = {"seed": self.seed, "training": f"{run.training_seconds:.0f} s"}
        if results is not None:
            facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
        steps = 10 if self.smoke else 1000
        write_report(
            run.folder / REPORT,
            title=f"{self.name}, seed {self.seed}",
            summary=self.summary() + ("." if results else "; the run has not finished."),
            headline=headlines(results) if results else (),
            sections=[
                *(self.sections(results) if results else ()),
                Section(
                    "Fantasies",
                    "Free chains of Gibbs sampling, begun at draws from the units' own biases, a row a chain. Pixels are shown as "
                    "probabilities.",
                    [(self.fantasies(model, steps=steps, seed=self.seed), f"a frame every {steps} sweeps")],
                ),
                Section("Features", "", self.features(model)),
                Section("Learning", "", [(learning_curves(run.histories()), "the figures of each epoch")]),
            ],
            facts=facts,
            settings=run.settings,
        )

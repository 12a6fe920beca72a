"""The steps that every recipe for a fine-tuned deep belief net shares."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from harmonium.data import Dataset
from harmonium.files import read_tensors
from harmonium.likelihood import Evaluation
from harmonium.models import DBN
from harmonium.models.saving import restore
from harmonium.recipes import outcome
from harmonium.recipes.pictures import one_of_each
from harmonium.recipes.recipe import Recipe
from harmonium.recipes.run import EVALUATION, SAMPLES, Run
from harmonium.recipes.stack import GENERATION, Generation, Layers, Split, Tuning, learn, learn_to_generate, rbms, split, tune
from harmonium.recipes.verdicts import Figure
from harmonium.report import evaluation, fantasies
from harmonium.sampling import film


class Plan(NamedTuple):
    """What a run does."""

    setting: str  # its name in the records
    layers: Layers
    generation: Generation
    tunings: dict[str, Tuning]  # each phase of fine-tuning, all from the same stack


@dataclasses.dataclass(frozen=True)
class DeepBeliefNet(Recipe):
    """Features learnt greedily from unlabelled images, then fine-tuned by backpropagation, judged and drawn."""

    generation: Generation = Generation()
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""

    annealing: ClassVar[tuple[int, int]] = (1000, 500)
    """Inverse temperatures, and sweeps of tempered chains, that the bottom RBM is judged with."""

    @abstractmethod
    def load(self) -> Dataset:
        """The data set."""

    @abstractmethod
    def plan(self) -> Plan:
        """What the options come to."""

    def stack(self, run: Run, cases: Split) -> tuple[DBN, DBN]:
        """The stack to classify from, and the one to generate from, which share all but their top RBMs."""
        plan = self.plan()
        dbn = learn(run, cases, plan.layers, self.seed)
        return dbn, learn_to_generate(run, cases, dbn, plan.generation, plan.layers.weight_cost, self.seed)

    def cases(self, data: Dataset) -> Split:
        """What to learn from and to be judged on; a few cases only in a smoke run."""
        cases = split(data, self.held_out)
        if not self.smoke:
            return cases
        return Split(cases.images[:500], cases.labels[:500], cases.test_images[:500], cases.test_labels[:500], cases.name)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the stack, fine-tune it, judge it, draw it."""
        plan = self.plan()
        data = self.load()
        cases = self.cases(data)
        dbn, dreamer = self.stack(run, cases)
        nets = {phase: tune(run, phase, dbn, cases, data.classes, tuning, self.seed) for phase, tuning in plan.tunings.items()}
        betas, sweeps = (20, 5) if self.smoke else self.annealing
        bottom = outcome.bottom_likelihood(cases, dbn.rbms[0], betas=betas, chains=100, sweeps=sweeps)
        figures, verdicts, likelihood = outcome.judge(cases, nets, bottom)
        results = self.results(run, plan.setting, [*figures, *self.figures(cases, dreamer)], verdicts, likelihood=likelihood)
        self.draw(run, data, cases, dbn, dreamer, nets, results)
        return results

    def figures(self, cases: Split, dreamer: DBN) -> list[Figure]:
        """Metrics of the stack to generate from and of simple models, beside the others; here none."""
        return []

    def draw(
        self,
        run: Run,
        data: Dataset,
        cases: Split,
        dbn: DBN,
        dreamer: DBN,
        nets: Mapping[str, nn.Sequential],
        results: Mapping[str, Any] | None,
    ) -> None:
        """Writes the report; without results, that of a run that has not finished."""
        outcome.report(run, data, cases, dreamer, nets, results)

    def dreamer(self, run: Run, cases: Split) -> DBN:
        """The stack to generate from of a run, as far as it has been learnt."""
        return self.learnt(run, cases)

    def learnt(self, run: Run, cases: Split) -> DBN:
        """The layers that a run has begun to learn, finished or not. ValueError if there is none."""
        layers = []
        for index, rbm in enumerate(rbms(cases.images.shape[1], self.plan().layers, self.seed)):
            path = run.checkpoint(f"layer {index + 1}")
            if not path.exists():
                break
            restore(rbm, read_tensors(path)[0], "model.")
            layers.append(rbm)
        if run.checkpoint(GENERATION).exists():
            restore(layers[-1], read_tensors(run.checkpoint(GENERATION))[0], "model.")
        if not layers:
            raise ValueError(f"{run.folder} has learnt nothing yet: its first checkpoint comes after the first epoch")
        return DBN(layers)

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How good the bottom RBM is, of pixels drawn once from the judged images' grey levels; drawn into evaluation.png."""
        cases = self.cases(self.load())
        found = outcome.bottom_likelihood(cases, self.learnt(run, cases).rbms[0], betas=betas, chains=chains, sweeps=sweeps)
        title = f"The bottom RBM of {run.recipe}, on {cases.name} images with pixels drawn once from their grey levels"
        evaluation(found, title=title).savefig(run.folder / EVALUATION, dpi=110)
        return found

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws fantasies, a chain begun at an image of each class, into samples.png, and says where it is."""
        data = self.load()
        cases = self.cases(data)
        start, generator = one_of_each(cases, data.classes), torch.Generator().manual_seed(seed)
        shown = film(self.dreamer(run, cases), len(start), start=start, frames=10, steps=steps, generator=generator)
        path = run.folder / SAMPLES
        frames = [steps * (frame + 1) for frame in range(10)]
        fantasies(shown.reshape(*shown.shape[:2], *data.image_shape), steps=frames).savefig(path, dpi=110)
        return path

    def report(self, run: Run) -> None:
        """Draws the report of a finished or unfinished run."""
        data = self.load()
        cases = self.cases(data)
        if not run.finished:
            self.draw(run, data, cases, self.learnt(run, cases), self.dreamer(run, cases), {}, None)
            return
        dbn, dreamer = self.stack(run, cases)
        nets = {phase: tune(run, phase, dbn, cases, data.classes, tuning, self.seed) for phase, tuning in self.plan().tunings.items()}
        self.draw(run, data, cases, dbn, dreamer, nets, run.results())

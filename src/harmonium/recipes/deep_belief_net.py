"""The steps that every recipe for a fine-tuned deep belief net shares."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from harmonium.data import Dataset
from harmonium.models import DBN
from harmonium.models.saving import read_tensors, restore
from harmonium.recipes import outcome
from harmonium.recipes.pictures import bottom_likelihood, films, one_of_each
from harmonium.recipes.run import SAMPLES, Options, Run
from harmonium.recipes.stack import GENERATION, Generation, Layers, Split, Tuning, learn, learn_to_generate, rbms, split, tune
from harmonium.report import fantasies


class Plan(NamedTuple):
    """What a run does."""

    setting: str  # its name in the records
    layers: Layers
    generation: Generation
    tunings: dict[str, Tuning]  # each phase of fine-tuning, all from the same stack


@dataclasses.dataclass(frozen=True)
class DeepBeliefNet(Options, ABC):
    """Features learnt greedily from unlabelled images, then fine-tuned by backpropagation, judged and drawn."""

    generation: Generation = Generation()
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""

    name: ClassVar[str]
    paper: ClassVar[str]
    published: ClassVar[dict[str, str]]

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
        results = outcome.judge(run, cases, dbn, nets, setting=plan.setting, paper=self.paper, published=self.published)
        outcome.report(run, data, cases, dreamer, nets, results)
        return results

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

    def likelihood(self, run: Run, *, betas: int, chains: int) -> str:
        """One sentence on how good the bottom RBM is, in nats."""
        cases = self.cases(self.load())
        rbm = self.learnt(run, cases).rbms[0]
        estimate, nats, trust = bottom_likelihood(rbm, cases.test_images, chains=chains, betas=betas)
        return (
            f"The bottom RBM has log Z = {estimate.log_z:.2f} ± {estimate.standard_error:.2f} nats ({trust}), and {nats:.2f} nats a "
            f"{cases.name} image whose pixels are drawn once from its grey levels."
        )

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws fantasies, a chain begun at an image of each class, into samples.png, and says where it is."""
        data = self.load()
        cases = self.cases(data)
        film = films(self.learnt(run, cases), one_of_each(cases, data.classes), frames=10, steps=steps, seed=seed)
        path = run.folder / SAMPLES
        frames = [steps * (frame + 1) for frame in range(10)]
        fantasies(film.reshape(*film.shape[:2], *data.image_shape), steps=frames).savefig(path, dpi=110)
        return path

    def report(self, run: Run) -> None:
        """Draws the report of a finished or unfinished run."""
        data = self.load()
        cases = self.cases(data)
        if not run.finished:
            outcome.report(run, data, cases, self.learnt(run, cases), {}, None)
            return
        dbn, dreamer = self.stack(run, cases)
        nets = {phase: tune(run, phase, dbn, cases, data.classes, tuning, self.seed) for phase, tuning in self.plan().tunings.items()}
        outcome.report(run, data, cases, dreamer, nets, run.results())

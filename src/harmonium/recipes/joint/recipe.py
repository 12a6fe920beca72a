"""MNIST's digits and their labels in one generative model: learnt greedily, then fine-tuned to generate by contrastive wake-sleep.

Paper: Hinton, Osindero & Teh, *A fast learning algorithm for deep belief nets*, Neural Computation 18 (2006): 784-500-500-2000 with ten
label units beside the 500 below the top; 2.49 % of the test digits wrong after the greedy phase, which learnt from 44,000 cases, and 1.25
% after the up-down phase, by the free energy of each label given a deterministic up-pass. Settings and the number of epochs are chosen on
the last 10,000 training cases (`--held-out 10000`, which never looks at the test set). Ours, times and machine: results/mnist-joint.json;
what was tried: docs/recipes/mnist-joint.md.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import Dataset, mnist
from harmonium.files import read_tensors
from harmonium.learning import ContrastiveDivergence, MomentumSGD, PersistentCD, Rule, Schedule, features, fit, wake_sleep
from harmonium.models import DBN, RBM, label_log_probability
from harmonium.models.labels import with_labels
from harmonium.models.saving import restore
from harmonium.recipes.joint.fantasy_judge import Verdict, judge_fantasies, learn_judge
from harmonium.recipes.joint.pictures import sections
from harmonium.recipes.shared.stack import Layers, Split, learn, rbms, split
from harmonium.report import fantasies, write_report
from harmonium.runs.contract import Recipe, headlines
from harmonium.runs.folder import REPORT, SAMPLES, Run
from harmonium.sampling import film, gibbs_label_probability
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Groups, Softmax

TOP, UP_DOWN = "top layer with labels", "up-down"
PASSES = 20  # stochastic up-passes that are averaged (Hinton, Osindero & Teh 2006)


@dataclasses.dataclass(frozen=True)
class Top:
    """How the machine of the top layer and the labels is learnt, in what it differs from the layers below."""

    learning_rate: float = 0.05
    scale: float = 0.01
    """Standard deviation of the initial weights: with 0.1 half of the units die in the first epoch."""
    reconstruction: Literal["mean", "sample"] = "sample"


@dataclasses.dataclass(frozen=True)
class UpDown:
    """How wake-sleep goes on from the greedily learnt stack."""

    epochs: int = 240
    steps: tuple[int, int] = (3, 6)
    """Gibbs sweeps of the top machine's contrastive divergence, in the first and the second third of the epochs."""
    chains: int = 200
    """Persistent ones, that the top machine learns from in the last third."""
    learning_rate: float = 0.1
    """At first; it falls linearly to zero."""
    momentum: float = 0.0
    batch_size: int = 100
    weight_cost: float = 0.0
    averaging: float = 0.1
    """The share of the updates, the last ones, that parameters are averaged over."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or min(*self.steps, self.chains) < 1:
            raise ValueError(f"wake-sleep takes at least one epoch, one sweep and one chain, found {self}")

    def negative(self, epoch: int) -> Rule:
        """The top machine's particles in this epoch."""
        third = 3 * epoch // self.epochs
        return ContrastiveDivergence(self.steps[third]) if third < 2 else PersistentCD(self.chains)


@dataclasses.dataclass(frozen=True)
class MnistJoint(Recipe):
    """A deep belief net 784-500-500-2000 of digits and their labels, learnt greedily and then by contrastive wake-sleep."""

    layers: Layers = Layers(units=(500, 500, 2000), epochs=30)
    labelled: Top = Top()
    up_down: UpDown = UpDown()
    quick: bool = False
    """About a tenth of the time: 8 epochs a layer, 12 of wake-sleep."""
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    data_dir: Path | None = None
    """Where the four original files are, if not in $HARMONIUM_DATA or the cache."""

    name: ClassVar[str] = "mnist-joint"
    choices: ClassVar[tuple[str, ...]] = ("quick",)
    paper: ClassVar[str] = "Hinton, Osindero & Teh 2006"
    published: ClassVar[dict[str, str]] = {"test_greedy_error_percent": "2.49 (learnt from 44,000 cases)", "test_error_percent": "1.25"}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_greedy_error_percent", "test_error_percent")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.layers.units) < 2:
            raise ValueError(f"labels stand beside the layer below the top one: give at least two hidden layers, found {self.layers.units}")

    @property
    def setting(self) -> str:
        return "smoke" if self.smoke else "quick" if self.quick else "full"

    def plan(self) -> tuple[Layers, UpDown]:
        """What the options come to."""
        if self.smoke:
            return dataclasses.replace(self.layers, epochs=1), dataclasses.replace(self.up_down, epochs=3)
        if self.quick:
            return dataclasses.replace(self.layers, epochs=8), dataclasses.replace(self.up_down, epochs=12)
        return self.layers, self.up_down

    def cases(self) -> tuple[Dataset, Split]:
        """The data set, and what to learn from and to be judged on; a few cases only in a smoke run."""
        data = mnist.load(self.data_dir)
        cases = split(data, self.held_out)
        if self.smoke:
            cases = Split(cases.images[:500], cases.labels[:500], cases.test_images[:500], cases.test_labels[:500], cases.name)
        return data, cases

    def top(self, layers: Layers, classes: int) -> RBM:
        """The machine of the layer below and the label, before learning."""
        below, above = layers.units[-2:]
        visible = Groups(Bernoulli(below, values="probabilities"), Softmax(1, categories=classes))
        coupling = Dense(below + classes, above, scale=self.labelled.scale, seed=derive(self.seed, 3))
        return RBM(visible, Bernoulli(above), coupling)

    def greedy(self, run: Run, data: Dataset, cases: Split) -> DBN:
        """The greedy phase: two layers without labels, then the top one with them."""
        layers, _ = self.plan()
        lower = learn(run, cases, dataclasses.replace(layers, units=layers.units[:-1]), self.seed).rbms
        top = self.top(layers, data.classes)
        fit(
            top,
            with_labels(features(cases.images, *lower), cases.labels, data.classes),
            negative=ContrastiveDivergence(reconstruction=self.labelled.reconstruction),
            epochs=layers.epochs,
            batch_size=layers.batch_size,
            optimizer=partial(MomentumSGD, lr=self.labelled.learning_rate, momentum=layers.early_momentum),
            schedule=partial(Schedule, momentum=lambda epoch: layers.early_momentum if epoch < 5 else layers.late_momentum),
            weight_cost=layers.weight_cost,
            seed=derive(self.seed, 4),
            callbacks=run.callbacks(TOP),
            checkpoint=run.checkpoint(TOP),
            progress=False,
        )
        return DBN([*lower, top], labels=True)

    def fine_tuned(self, run: Run, dbn: DBN, cases: Split) -> DBN:
        """A copy of the net after wake-sleep, with averaged parameters."""
        plan = self.plan()[1]
        state = wake_sleep(
            dbn.untie(),
            cases.images,
            labels=cases.labels,
            negative=plan.negative,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            optimizer=partial(MomentumSGD, lr=plan.learning_rate, momentum=plan.momentum),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / plan.epochs),
            weight_cost=plan.weight_cost,
            averaging=plan.averaging,
            validation=(cases.test_images, cases.test_labels) if cases.name == "validation" else None,
            seed=derive(self.seed, 5),
            callbacks=run.callbacks(UP_DOWN),
            checkpoint=run.checkpoint(UP_DOWN),
            progress=False,
        )
        return cast(DBN, state.averaged())

    def errors(self, dbn: DBN, cases: Split) -> dict[str, float]:
        """Percent of the judged cases, by the three ways to a label."""
        images, draws = cases.test_images, torch.Generator().manual_seed(derive(self.seed, 6))
        found = {
            "error_percent": label_log_probability(dbn, images),
            "stochastic_passes_error_percent": label_log_probability(dbn, images, generator=draws, passes=2 if self.smoke else PASSES),
            "gibbs_error_percent": gibbs_label_probability(dbn, images, sweeps=4 if self.smoke else 50, generator=draws),
        }
        return {name: 100 * (p.argmax(1) != cases.test_labels).double().mean().item() for name, p in found.items()}

    def dreamt(self, dbn: DBN, classes: int) -> tuple[Tensor, Tensor]:
        """Fantasies of every class from independent chains, begun at random states of the top machine: (fantasies, pixels), and labels."""
        count, steps = (4, 10) if self.smoke else (100, 1000)
        labels = torch.arange(classes).repeat_interleave(count)
        generator = torch.Generator().manual_seed(derive(self.seed, 7))
        return dbn.generate(len(labels), steps=steps, generator=generator, labels=labels), labels

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn greedily, judge; learn by wake-sleep, judge; generate every class, and have the fantasies judged."""
        torch.set_num_threads(self.threads)
        data, cases = self.cases()
        dbn = self.greedy(run, data, cases)
        found = [(f"{cases.name}_greedy_{name}", value, "%") for name, value in self.errors(dbn, cases).items()]
        dbn = self.fine_tuned(run, dbn, cases)
        found += [(f"{cases.name}_{name}", value, "%") for name, value in self.errors(dbn, cases).items()]
        verdict = self.judged(run, dbn, data, cases)
        found += [
            ("fantasies_recognised_percent", 100 * verdict.share, "%"),
            ("fantasies_distance_ratio", verdict.variety.mean().item(), "of real digits'"),
            ("fantasies_least_distance_ratio", verdict.variety.min().item(), "of real digits'"),
            ("fantasies_nearest_training_distance", verdict.nearest.median().item(), "median, pixels"),
            ("test_nearest_training_distance", verdict.test_nearest.median().item(), "median, pixels"),
        ]
        results = self.results(run, self.setting, found)
        self.draw(run, dbn, data, cases, verdict, results)
        return results

    def judged(self, run: Run, dbn: DBN, data: Dataset, cases: Split) -> Verdict:
        """What a convolutional net of real digits says of the fantasies, and how far they are from each other and from data."""
        epochs, seed = 1 if self.smoke else 6, derive(self.seed, 8)
        judge = learn_judge(run, cases.images, cases.labels, shape=data.image_shape, classes=data.classes, seed=seed, epochs=epochs)
        pictures, labels = self.dreamt(dbn, data.classes)
        return judge_fantasies(judge, pictures, labels, training=cases.images, test=cases.test_images, test_labels=cases.test_labels)

    def learnt(self, run: Run, data: Dataset, cases: Split) -> DBN:
        """The net of a run that has come as far as its top machine, with wake-sleep's averaged parameters where it has begun. ValueError if
        it has not come as far."""
        layers, _ = self.plan()
        if not run.checkpoint(TOP).exists():
            raise ValueError(f"{run.folder} has no whole net yet: its top machine's first checkpoint comes after its first epoch")
        lower = rbms(cases.images.shape[1], dataclasses.replace(layers, units=layers.units[:-1]), self.seed)
        for index, rbm in enumerate(lower):
            restore(rbm, read_tensors(run.checkpoint(f"layer {index + 1}"))[0], "model.")
        dbn = DBN([*lower, self.top(layers, data.classes)], labels=True)
        restore(dbn.top, read_tensors(run.checkpoint(TOP))[0], "model.")
        if run.checkpoint(UP_DOWN).exists():
            dbn = dbn.untie()
            restore(dbn, read_tensors(run.checkpoint(UP_DOWN))[0], "slots.averaging.")
        return dbn

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        data, cases = self.cases()
        path, labels = run.folder / SAMPLES, torch.arange(data.classes)
        generator = torch.Generator().manual_seed(seed)
        frames = film(self.learnt(run, data, cases), data.classes, frames=10, steps=steps, generator=generator, labels=labels)
        fantasies(frames.reshape(*frames.shape[:2], *data.image_shape), steps=range(steps, 10 * steps + 1, steps)).savefig(path, dpi=110)
        return path

    def report(self, run: Run) -> None:
        data, cases = self.cases()
        dbn = self.learnt(run, data, cases)
        if run.finished:
            self.draw(run, dbn, data, cases, self.judged(run, dbn, data, cases), run.results())
        else:
            self.draw(run, dbn, data, cases, None, None)

    def draw(self, run: Run, dbn: DBN, data: Dataset, cases: Split, verdict: Verdict | None, results: dict[str, Any] | None) -> None:
        """The report, finished or not."""
        facts: dict[str, object] = {"seed": self.seed, "training": f"{run.training_seconds:.0f} s"}
        if results is not None:
            facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
        write_report(
            run.folder / REPORT,
            title=f"{self.name}, seed {self.seed}",
            summary="A deep belief net of digits and their labels, learnt one layer at a time and then by contrastive wake-sleep"
            + ("." if results else "; the run has not finished."),
            headline=headlines(results) if results else (),
            sections=sections(run, dbn, data, cases, verdict, short=self.smoke, seed=derive(self.seed, 9)),
            facts=facts,
            settings=run.settings,
        )

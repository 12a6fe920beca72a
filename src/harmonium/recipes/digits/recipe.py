"""Handwritten digits of 8x8 pixels: a deep belief net that classifies, and one that generates each class on demand, in about a minute.

Data: the 1,797 scans that come with scikit-learn, 1,497 to learn from and 300 to be judged on. No paper publishes this job; it is the
tutorial's main one (IPAM 2012, part 1 and the start of part 2) at a size for the first five minutes. The net that generates is that of
Hinton, Osindero & Teh (2006): the same two lower layers, a top RBM that sees the label beside their features, then the up-down algorithm.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.data import Dataset, digits
from harmonium.files import read_tensors
from harmonium.learning import MomentumSGD, PersistentCD, Schedule, features, fit, wake_sleep
from harmonium.likelihood import Evaluation
from harmonium.models import DBN, RBM, label_log_probability
from harmonium.models.labels import with_labels
from harmonium.models.saving import restore
from harmonium.recipes.digits.baselines import Baselines, baselines
from harmonium.recipes.digits.pictures import headline, sections, summary
from harmonium.recipes.shared.fine_tuned_stack import (
    Learnt,
    Plan,
    bottom_likelihood,
    bottom_metric,
    bottom_words,
    draw_evaluation,
    draw_samples,
    errors,
    learn_all,
    learnt_so_far,
    tune_all,
)
from harmonium.recipes.shared.labelled_split import Split, split
from harmonium.recipes.shared.stack import Generation, Layers, Tuning, learn
from harmonium.report import fantasies, page
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import SAMPLES, Run
from harmonium.runs.likelihood_metrics import log_z_metrics, verdict
from harmonium.runs.options import EARLIER
from harmonium.runs.report_page import write_run_report
from harmonium.sampling import film
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Groups, Softmax

CLASSES = 10
TOP, UP_DOWN = "top layer with labels", "up-down"  # the phases' names


@dataclasses.dataclass(frozen=True)
class Labelled:
    """How a net of digits and labels is learnt, to generate any class; its chains and batches are those of `generation`."""

    units: int = 400
    """Hidden units of its top RBM."""
    epochs: int = 50
    """Of persistent CD of the top RBM; 0 for no labels, when the top RBM goes on learning as `generation` says."""
    learning_rate: float = 0.05
    """Of the top RBM at first; it falls linearly to zero."""
    up_down_epochs: int = 80
    """Of the up-down algorithm, which fine-tunes all layers to generate."""
    up_down_rate: float = 0.1
    """Its learning rate at first; it falls linearly to zero, and the last tenth of the updates is averaged."""

    def __post_init__(self) -> None:
        if self.units < 1 or self.epochs < 0 or self.up_down_epochs < 1:
            raise ValueError(f"a net of labels has a hidden unit and learns for an epoch, or for 0 to be left out, found {self}")


@dataclasses.dataclass(frozen=True)
class Digits(Recipe):
    """A deep belief net of 8x8 digits: learn, look, generate each class and classify, in about a minute."""

    generation: Generation = Generation(epochs=100, chains=100, batch_size=20, learning_rate=0.02)
    held_out: int = 0
    """Judge on this many held-out training cases, not on the test set: for choosing settings."""
    layers: Layers = Layers(units=(100, 100, 200), epochs=100, batch_size=20, learning_rate=0.05)
    tuning: Tuning = Tuning(epochs=40, batch_size=20, learning_rate=0.1)
    labelled: Labelled = dataclasses.field(default=Labelled(), metadata={EARLIER: Labelled(epochs=0)})
    threads: int = 1
    """Number of CPU threads. On matrices as small as these a second one brings nothing, and costs much where cores are shared."""

    name: ClassVar[str] = "digits"
    paper: ClassVar[str] = "none: the tutorial's main job on scikit-learn's digits"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent",)

    def plan(self) -> Plan:
        """What the options come to, the net of labels apart."""
        layers, generation, tuning = self.layers, self.generation, self.tuning
        if self.smoke:
            layers, generation = dataclasses.replace(layers, epochs=1), dataclasses.replace(generation, epochs=1)
            tuning = dataclasses.replace(tuning, epochs=3)
        return Plan("smoke" if self.smoke else "default", layers, generation, {"backpropagation": tuning}, self.seed)

    def how_labelled(self) -> Labelled:
        """What the options of the net of labels come to."""
        if self.smoke and self.labelled.epochs:
            return dataclasses.replace(self.labelled, epochs=1, up_down_epochs=3)
        return self.labelled

    def cases(self) -> tuple[Dataset, Split]:
        """The data set, and what to learn from and to be judged on."""
        data = digits.load()
        return data, split(data, self.held_out, smoke=self.smoke)

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: learn the stack, learn to generate, fine-tune, judge beside simple models, draw."""
        plan, (data, cases) = self.plan(), self.cases()
        learnt = learn_both(run, plan, self.how_labelled(), cases)
        betas, sweeps = (20, 5) if self.smoke else (200, 100)
        bottom = bottom_likelihood(cases, learnt.stack.rbms[0], betas=betas, chains=100, sweeps=sweeps)
        nats, simple = bottom_metric(cases), baselines(cases)
        metrics = [*errors(cases, learnt.nets), (nats, bottom.cautious.nats, "nats"), *log_z_metrics(bottom, "bottom_rbm_")]
        metrics += [*simple_metrics(simple, cases.name), *generative_metrics(self, cases, learnt.generating, simple)]
        results = self.results(run, plan.setting, metrics, {nats: verdict(bottom)}, likelihood=bottom_words(cases, bottom))
        draw(self, run, data, cases, learnt, simple)
        return results

    def likelihood(self, run: Run, *, betas: int, chains: int, sweeps: int) -> Evaluation:
        """How good the bottom RBM is, of pixels drawn once from the judged images' grey levels; drawn into evaluation.png."""
        return draw_evaluation(run, self.plan(), self.cases()[1], betas=betas, chains=chains, sweeps=sweeps)

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """A chain for each class with its label held fixed, drawn into samples.png; without labels, one begun at an image of each class."""
        plan, (data, cases) = self.plan(), self.cases()
        if not run.checkpoint(TOP).exists():
            return draw_samples(run, plan, data, cases, steps=steps, seed=seed)
        net, generator = generating_so_far(run, plan, self.labelled, cases), torch.Generator().manual_seed(seed)
        shown = film(net, CLASSES, frames=10, steps=steps, generator=generator, labels=torch.arange(CLASSES))
        path, frames = run.folder / SAMPLES, [steps * (frame + 1) for frame in range(10)]
        picture = fantasies(shown.reshape(CLASSES, 10, *data.image_shape), steps=frames, row="class", rows=range(CLASSES))
        picture.savefig(path, dpi=110)
        return path

    def page(self, run: Run, path: Path) -> Path:
        data, cases = self.cases()
        net = generating_so_far(run, self.plan(), self.labelled, cases)
        title = "A deep belief net of digits of 8x8 pixels"
        return page(net, path, images=cases.test_images, labels=cases.test_labels, shape=data.image_shape, title=title)

    def report(self, run: Run) -> None:
        plan, (data, cases) = self.plan(), self.cases()
        if run.finished:
            learnt = learn_both(run, plan, self.how_labelled(), cases)
        else:
            learnt = Learnt(learnt_so_far(run, plan, cases), generating_so_far(run, plan, self.labelled, cases), {})
        draw(self, run, data, cases, learnt, baselines(cases))


def learn_both(run: Run, plan: Plan, how: Labelled, cases: Split) -> Learnt:
    """The stack to classify from with the nets tuned from it, and the net to generate from; each from its checkpoint where there is one."""
    if how.epochs == 0:
        return learn_all(run, plan, cases, CLASSES)
    stack = learn(run, cases, plan.layers, plan.seed)
    generating = learn_labels(run, plan, how, cases, stack)
    return Learnt(stack, generating, tune_all(run, plan, cases, stack, CLASSES))


def labelled_net(stack: DBN, units: int, seed: int) -> DBN:
    """The lower layers of a stack under a top RBM of their features and the label, not yet learnt."""
    below = [*stack.rbms[0].visible.shape, *(rbm.hidden.shape[0] for rbm in stack.rbms[:-1])][-1]
    visible = Groups(Bernoulli(below, values="probabilities"), Softmax(1, categories=CLASSES))
    coupling = Dense(below + CLASSES, units, scale=0.01, seed=derive(seed, 30))
    return DBN([*stack.rbms[:-1], RBM(visible, Bernoulli(units), coupling)], labels=True)


def learn_labels(run: Run, plan: Plan, how: Labelled, cases: Split, stack: DBN) -> DBN:
    """The net that generates: its top RBM by persistent CD, all its layers by up-down. The stack to classify from stays as it is."""
    net, generation = labelled_net(stack, how.units, plan.seed), plan.generation
    fit(
        net.top,
        with_labels(features(cases.images, *net.rbms[:-1]) if len(net.rbms) > 1 else cases.images / 255, cases.labels, CLASSES),
        negative=PersistentCD(chains=generation.chains),
        epochs=how.epochs,
        batch_size=generation.batch_size,
        optimizer=partial(MomentumSGD, lr=how.learning_rate),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        weight_cost=plan.layers.weight_cost,
        precision=run.precision,
        seed=derive(plan.seed, 31),
        callbacks=run.callbacks(TOP),
        checkpoint=run.checkpoint(TOP),
        progress=False,
    )
    state = wake_sleep(
        net.untie(),
        cases.images,
        labels=cases.labels,
        negative=PersistentCD(chains=generation.chains),
        epochs=how.up_down_epochs,
        batch_size=generation.batch_size,
        optimizer=partial(MomentumSGD, lr=how.up_down_rate),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.up_down_epochs),
        averaging=0.1,
        precision=run.precision,
        seed=derive(plan.seed, 32),
        callbacks=run.callbacks(UP_DOWN),
        checkpoint=run.checkpoint(UP_DOWN),
        progress=False,
    )
    return cast(DBN, state.averaged())


def generating_so_far(run: Run, plan: Plan, how: Labelled, cases: Split) -> DBN:
    """The net to generate from, as far as a run has learnt it; without labels before its top RBM's first checkpoint."""
    stack = learnt_so_far(run, plan, cases)
    if not run.checkpoint(TOP).exists():
        return stack
    net = labelled_net(stack, how.units, plan.seed)
    restore(net.top, read_tensors(run.checkpoint(TOP))[0], "model.")
    if run.checkpoint(UP_DOWN).exists():
        net = net.untie()
        restore(net, read_tensors(run.checkpoint(UP_DOWN))[0], "slots.averaging.")
    return net


def simple_metrics(simple: Baselines, of: str) -> list[Metric]:
    """What simple models make of the same cases, as metrics of the test or the validation set."""
    return [
        (f"naive_bayes_{of}_error_percent", simple.naive_bayes, "%"),
        (f"logistic_regression_{of}_error_percent", simple.logistic_regression, "%"),
        (f"independent_pixels_{of}_nats_fixed_stochastic", simple.independent_pixels, "nats"),
        (f"naive_bayes_{of}_nats_fixed_stochastic", simple.class_pixels, "nats"),
    ]


def generative_metrics(options: Digits, cases: Split, net: DBN, simple: Baselines) -> list[Metric]:
    """Of a net with labels: how it classifies by free energy, and what logistic regression says of its fantasies."""
    if net.labels is None:
        return []
    wrong = label_log_probability(net, cases.test_images).argmax(1) != cases.test_labels
    images, labels = on_demand(options, net, 20)
    return [
        (f"generative_{cases.name}_error_percent", 100 * wrong.double().mean().item(), "%"),
        ("fantasies_recognised_percent", simple.recognised(images.flatten(0, 1), labels), "%"),
    ]


@torch.no_grad()
def on_demand(options: Digits, net: DBN, count: int) -> tuple[Tensor, Tensor]:
    """`count` independent chains of each class, begun at random states: images (classes, count, pixels) and labels (classes x count).

    The last sweep's probabilities go down the layers in place of samples: a picture of what the top RBM believes, without the noise of
    the layers below.
    """
    labels = torch.arange(CLASSES).repeat_interleave(count)
    generator = torch.Generator().manual_seed(derive(options.seed, 33))
    states = torch.rand(len(labels), net.top.visible.shape[0] - CLASSES, generator=generator).round()
    for _ in range(20 if options.smoke else 1000):
        h = net.top.sample_hidden(with_labels(states, labels, CLASSES), generator=generator)
        states = net.top.sample_visible(h, generator=generator)[:, :-CLASSES]
    means = net.top.visible_mean(net.top.hidden_mean(with_labels(states, labels, CLASSES)))
    return net.down(means[:, :-CLASSES]).reshape(CLASSES, count, -1), labels


def draw(options: Digits, run: Run, data: Dataset, cases: Split, learnt: Learnt, simple: Baselines) -> None:
    """report.html of a finished or unfinished run."""
    results, net = run.results() if run.finished else None, learnt.generating
    shown = on_demand(options, net, 12)[0].reshape(CLASSES, 12, *data.image_shape) if net.labels is not None else None
    write_run_report(
        run,
        title=f"Digits of 8x8 pixels, seed {options.seed}",
        summary=summary(learnt.stack, cases),
        headline=headline(results, cases) if results else (),
        sections=sections(run, data, cases, learnt, results, simple, shown, seed=derive(options.seed, 34)),
    )

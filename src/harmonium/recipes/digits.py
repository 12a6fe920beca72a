"""Handwritten digits of 8x8 pixels: a deep belief net that classifies, and one that generates each class on demand, in about a minute.

Data: the 1,797 scans that come with scikit-learn, 1,497 to learn from and 300 to be judged on. No paper publishes this job; it is the
tutorial's main one (IPAM 2012, part 1 and the start of part 2) at a size for the first five minutes. The net that generates is that of
Hinton, Osindero & Teh (2006): the same two lower layers, a top RBM that sees the label beside their features, then the up-down algorithm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

import harmonium.recipes.run as runs
from harmonium.couplings import Dense
from harmonium.data import Dataset, digits
from harmonium.files import read_tensors
from harmonium.learning import MomentumSGD, PersistentCD, Schedule, features, fit, wake_sleep
from harmonium.models import DBN, RBM, label_log_probability
from harmonium.models.labels import with_labels
from harmonium.models.saving import restore
from harmonium.recipes.deep_belief_net import DeepBeliefNet, Plan
from harmonium.recipes.digits_baselines import Baselines, baselines
from harmonium.recipes.digits_pictures import headline, sections
from harmonium.recipes.run import Run
from harmonium.recipes.stack import Generation, Layers, Split, Tuning, learn
from harmonium.recipes.verdicts import Figure
from harmonium.report import fantasies, write_report
from harmonium.sampling import film
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Groups, Softmax

TOP, UP_DOWN = "top layer with labels", "up-down"


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
class Digits(DeepBeliefNet):
    """A deep belief net of 8x8 digits: learn, look, generate each class and classify, in about a minute."""

    layers: Layers = Layers(units=(100, 100, 200), epochs=100, batch_size=20, learning_rate=0.05)
    generation: Generation = Generation(epochs=100, chains=100, batch_size=20, learning_rate=0.02)
    tuning: Tuning = Tuning(epochs=40, batch_size=20, learning_rate=0.1)
    labelled: Labelled = dataclasses.field(default=Labelled(), metadata={runs.EARLIER: Labelled(epochs=0)})
    threads: int = 1
    """Number of CPU threads. On matrices as small as these a second one brings nothing, and costs much where cores are shared."""

    annealing: ClassVar[tuple[int, int]] = (200, 100)
    name: ClassVar[str] = "digits"
    paper: ClassVar[str] = "none: the tutorial's main job on scikit-learn's digits"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = ("test_error_percent",)

    def load(self) -> Dataset:
        return digits.load()

    def plan(self) -> Plan:
        layers, generation, tuning = self.layers, self.generation, self.tuning
        if self.smoke:
            layers, generation = dataclasses.replace(layers, epochs=1), dataclasses.replace(generation, epochs=1)
            tuning = dataclasses.replace(tuning, epochs=3)
        return Plan("smoke" if self.smoke else "default", layers, generation, {"backpropagation": tuning})

    def stack(self, run: Run, cases: Split) -> tuple[DBN, DBN]:
        if self.labelled.epochs == 0:
            return super().stack(run, cases)
        dbn = learn(run, cases, self.plan().layers, self.seed)
        return dbn, self.learn_labels(run, cases, dbn)

    def labelled_net(self, dbn: DBN) -> DBN:
        """The lower layers of a stack under a top RBM of their features and the label, not yet learnt."""
        below = [*dbn.rbms[0].visible.shape, *(rbm.hidden.shape[0] for rbm in dbn.rbms[:-1])][-1]
        visible = Groups(Bernoulli(below, values="probabilities"), Softmax(1, categories=10))
        coupling = Dense(below + 10, self.labelled.units, scale=0.01, seed=derive(self.seed, 30))
        return DBN([*dbn.rbms[:-1], RBM(visible, Bernoulli(self.labelled.units), coupling)], labels=True)

    def learn_labels(self, run: Run, cases: Split, dbn: DBN) -> DBN:
        """The net that generates: its top RBM by persistent CD, all its layers by up-down. The stack to classify from stays as it is."""
        plan, how = self.plan().generation, self.labelled
        if self.smoke:
            how = dataclasses.replace(how, epochs=1, up_down_epochs=3)
        net = self.labelled_net(dbn)
        fit(
            net.top,
            with_labels(features(cases.images, *net.rbms[:-1]) if len(net.rbms) > 1 else cases.images / 255, cases.labels, 10),
            negative=PersistentCD(chains=plan.chains),
            epochs=how.epochs,
            batch_size=plan.batch_size,
            optimizer=partial(MomentumSGD, lr=how.learning_rate),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
            weight_cost=self.layers.weight_cost,
            seed=derive(self.seed, 31),
            callbacks=run.callbacks(TOP),
            checkpoint=run.checkpoint(TOP),
            progress=False,
        )
        state = wake_sleep(
            net.untie(),
            cases.images,
            labels=cases.labels,
            negative=PersistentCD(chains=plan.chains),
            epochs=how.up_down_epochs,
            batch_size=plan.batch_size,
            optimizer=partial(MomentumSGD, lr=how.up_down_rate),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.up_down_epochs),
            averaging=0.1,
            seed=derive(self.seed, 32),
            callbacks=run.callbacks(UP_DOWN),
            checkpoint=run.checkpoint(UP_DOWN),
            progress=False,
        )
        return cast(DBN, state.averaged())

    def figures(self, cases: Split, dreamer: DBN) -> list[Figure]:
        simple, of = baselines(cases), cases.name
        found = [
            (f"naive_bayes_{of}_error_percent", simple.naive_bayes, "%"),
            (f"logistic_regression_{of}_error_percent", simple.logistic_regression, "%"),
            (f"independent_pixels_{of}_nats_fixed_stochastic", simple.independent_pixels, "nats"),
            (f"naive_bayes_{of}_nats_fixed_stochastic", simple.class_pixels, "nats"),
        ]
        if self.labelled.epochs:
            wrong = label_log_probability(dreamer, cases.test_images).argmax(1) != cases.test_labels
            found.append((f"generative_{of}_error_percent", 100 * wrong.double().mean().item(), "%"))
            images, labels = self.on_demand(dreamer, 20)
            found.append(("fantasies_recognised_percent", simple.recognised(images.flatten(0, 1), labels), "%"))
        return found

    @torch.no_grad()
    def on_demand(self, dreamer: DBN, count: int) -> tuple[Tensor, Tensor]:
        """`count` independent chains of each class, begun at random states: images (classes, count, pixels) and labels (classes x count).

        The last sweep's probabilities go down the layers in place of samples: a picture of what the top RBM believes, without the noise of
        the layers below.
        """
        labels = torch.arange(10).repeat_interleave(count)
        generator = torch.Generator().manual_seed(derive(self.seed, 33))
        states = torch.rand(len(labels), dreamer.top.visible.shape[0] - 10, generator=generator).round()
        for _ in range(20 if self.smoke else 1000):
            h = dreamer.top.sample_hidden(with_labels(states, labels, 10), generator=generator)
            states = dreamer.top.sample_visible(h, generator=generator)[:, :-10]
        means = dreamer.top.visible_mean(dreamer.top.hidden_mean(with_labels(states, labels, 10)))
        return dreamer.down(means[:, :-10]).reshape(10, count, -1), labels

    def dreamer(self, run: Run, cases: Split) -> DBN:
        dbn = self.learnt(run, cases)
        if not run.checkpoint(TOP).exists():
            return dbn
        net = self.labelled_net(dbn)
        restore(net.top, read_tensors(run.checkpoint(TOP))[0], "model.")
        if run.checkpoint(UP_DOWN).exists():
            net = net.untie()
            restore(net, read_tensors(run.checkpoint(UP_DOWN))[0], "slots.averaging.")
        return net

    def sample(self, run: Run, *, steps: int, seed: int) -> Path:
        """Draws fantasies, a chain for each class with its label clamped, into samples.png, and says where it is."""
        data = self.load()
        dreamer = self.dreamer(run, self.cases(data))
        if not run.checkpoint(TOP).exists():
            return super().sample(run, steps=steps, seed=seed)
        shown = film(dreamer, 10, frames=10, steps=steps, generator=torch.Generator().manual_seed(seed), labels=torch.arange(data.classes))
        path = run.folder / runs.SAMPLES
        frames = [steps * (frame + 1) for frame in range(10)]
        picture = fantasies(shown.reshape(10, 10, *data.image_shape), steps=frames, row="class", rows=range(10))
        picture.savefig(path, dpi=110)
        return path

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
        stack = "-".join(str(size) for size in (data.train_images.shape[1], *(rbm.hidden.shape[0] for rbm in dbn.rbms)))
        summary = (
            f"The demo. A deep belief net ({stack} units) learns features from {len(cases.images):,} images of handwritten digits, one "
            "layer at a time and without labels; backpropagation then fine-tunes it to classify. A second net with the same lower layers "
            "learns images and labels together, and generates any class on demand."
        )
        facts: dict[str, object] = {"seed": self.seed, "training": f"{run.training_seconds:.0f} s"}
        if results is None:
            summary += "\n\nThe run has not finished."
        else:
            facts |= {name: results[name] for name in ("setting", "machine", "commit", "command")}
        simple: Baselines = baselines(cases)
        labelled = self.on_demand(dreamer, 12)[0].reshape(10, 12, *data.image_shape) if dreamer.labels is not None else None
        write_report(
            run.folder / runs.REPORT,
            title=f"Digits of 8x8 pixels, seed {self.seed}",
            summary=summary,
            headline=headline(results, cases) if results else (),
            sections=sections(run, data, cases, dbn, dreamer, nets, results, simple, labelled, seed=derive(self.seed, 34)),
            facts=facts,
            settings=run.settings,
        )

"""Features learnt layer by layer from unlabelled images, then gentle backpropagation: the tutorial's main job, step by step.

Each step keeps its own checkpoint and is a pure function of its arguments, so that a run resumes by being run again.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from harmonium.couplings import Dense
from harmonium.files import read_tensors
from harmonium.learning import (
    ConjugateGradients,
    ContrastiveDivergence,
    MomentumSGD,
    PersistentCD,
    Schedule,
    features,
    fine_tune,
    fit,
    predict,
)
from harmonium.models import DBM, DBN, RBM
from harmonium.models.saving import restore
from harmonium.nets import classifier
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.random_weights import spread
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli

GENERATION = "top layer for generation"  # the phase's name


@dataclasses.dataclass(frozen=True)
class Layers:
    """How the stack is learnt, one RBM at a time."""

    units: tuple[int, ...]
    """Hidden units of each layer, from the bottom."""
    epochs: int
    """Over the training images, for each layer."""
    batch_size: int = 100
    learning_rate: float = 0.1
    weight_cost: float = 2e-4
    early_momentum: float = 0.5
    """In the first five epochs."""
    late_momentum: float = 0.9
    gibbs_steps: int = 1
    """k of contrastive divergence."""
    scale: float = 0.1
    """Standard deviation of the initial weights."""

    def __post_init__(self) -> None:
        if not self.units or min(self.units) < 1 or self.epochs < 1:
            raise ValueError(f"a stack has layers of at least one unit and learns for at least one epoch, found {self}")


@dataclasses.dataclass(frozen=True)
class Generation:
    """How a copy of the top RBM goes on learning by persistent CD, for fantasies."""

    epochs: int = 6
    chains: int = 300
    batch_size: int = 100
    learning_rate: float = 0.03
    """At first; it falls linearly to zero, so that the chains keep up."""


@dataclasses.dataclass(frozen=True)
class Tuning:
    """How backpropagation fine-tunes the stack."""

    epochs: int
    head_epochs: int = 2
    """In which the softmax layer alone learns."""
    batch_size: int = 100
    learning_rate: float = 0.1
    momentum: float = 0.0
    decay: float = 1.0
    """The learning rate's factor from one epoch to the next."""
    weight_cost: float = 0.0
    dropout: float = 0.0
    """Share of hidden units dropped."""
    input_dropout: float = 0.0
    """Share of pixels dropped."""
    pretrained: bool = True
    """Whether it begins at the learnt stack, and not at random weights."""

    replayed: ClassVar[bool] = True
    """Whether a GPU may replay its updates."""

    def optimizer(self) -> Callable[..., torch.optim.Optimizer]:
        return partial(MomentumSGD, lr=self.learning_rate, momentum=self.momentum)

    def schedule(self) -> Callable[..., Schedule] | None:
        return partial(Schedule, lr=lambda epoch: self.decay**epoch)


@dataclasses.dataclass(frozen=True)
class LineSearches(Tuning):
    """By conjugate gradients, as in 2006: the learning rate, momentum and decay do not count."""

    searches: int = 3
    """On each batch, which conjugate gradients begin anew."""

    replayed: ClassVar[bool] = False

    def optimizer(self) -> Callable[..., torch.optim.Optimizer]:
        return partial(ConjugateGradients, searches=self.searches)

    def schedule(self) -> None:
        return None


def rbms(pixels: int, layers: Layers, seed: int) -> list[RBM]:
    """The untrained machines of a stack, bottom to top, the lowest taking the pixels' grey levels as probabilities."""
    sizes = [pixels, *layers.units]
    return [
        RBM(
            Bernoulli(below, values="probabilities"),
            Bernoulli(above),
            Dense(below, above, scale=layers.scale, seed=derive(seed, index)),
        )
        for index, (below, above) in enumerate(pairwise(sizes))
    ]


def random_stack(pixels: int, layers: Layers, seed: int) -> DBN:
    """A stack of these sizes that has learnt nothing.

    Weights are from N(0, 32 / (fan-in + fan-out)), as Glorot & Bengio (2010) have them for logistic units: with a sixteenth of that
    variance, a net of three such layers stays at one class for its first epochs.
    """
    sizes = [pixels, *layers.units]
    layer = partial(Bernoulli, values="probabilities")
    pairs = enumerate(pairwise(sizes))
    couplings = [Dense(below, above, scale=spread(below, above), seed=derive(seed, index)) for index, (below, above) in pairs]
    return DBN([RBM(layer(each.visible[0]), Bernoulli(each.hidden[0]), each) for each in couplings])


def learn(run: Run, cases: Split, layers: Layers, seed: int) -> DBN:
    """The greedy phase: an RBM on the pixels' probabilities, another on the means of its features, and so on."""
    stack = [rbm.to(cases.images.device) for rbm in rbms(cases.images.shape[1], layers, seed)]
    for index, rbm in enumerate(stack):
        phase = f"layer {index + 1}"
        fit(
            rbm,
            features(cases.images, *stack[:index]),
            negative=ContrastiveDivergence(steps=layers.gibbs_steps, reconstruction="mean"),
            epochs=layers.epochs,
            batch_size=layers.batch_size,
            optimizer=partial(MomentumSGD, lr=layers.learning_rate, momentum=layers.early_momentum),
            schedule=partial(Schedule, momentum=lambda epoch: layers.early_momentum if epoch < 5 else layers.late_momentum),
            weight_cost=layers.weight_cost,
            validation=cases.test_images if index == 0 and cases.name == "validation" else None,
            precision=run.precision,
            capture=cases.images.is_cuda,
            seed=derive(seed, index),
            callbacks=run.callbacks(phase),
            checkpoint=run.checkpoint(phase),
            progress=False,
        )
    return DBN(stack)


def learn_to_generate(run: Run, cases: Split, dbn: DBN, generation: Generation, weight_cost: float, seed: int) -> DBN:
    """The stack with a top RBM that has gone on learning by persistent CD from samples of the layers below.

    CD-1 with mean reconstructions makes good features, but its machine need not have its probability where the data are. The nets for
    classification begin at the stack as it was.
    """
    top = copy.deepcopy(dbn.top)
    fit(
        top,
        features(cases.images, *dbn.rbms[:-1], sampled=True),
        negative=PersistentCD(chains=generation.chains),
        epochs=generation.epochs,
        batch_size=generation.batch_size,
        optimizer=partial(MomentumSGD, lr=generation.learning_rate),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / generation.epochs),
        weight_cost=weight_cost,
        precision=run.precision,
        capture=cases.images.is_cuda,
        seed=derive(seed, 20),
        callbacks=run.callbacks(GENERATION),
        checkpoint=run.checkpoint(GENERATION),
        progress=False,
    )
    return DBN([*dbn.rbms[:-1], top])


def tune(run: Run, phase: str, model: DBN | DBM, cases: Split, classes: int, tuning: Tuning, seed: int) -> nn.Sequential:
    """Backpropagation from a model's weights: the softmax layer first, then everything.

    On held-out cases it ends with the weights of the epoch that erred least there, which is how the number of epochs is chosen.
    """
    net = classifier(model, classes, seed=derive(seed, 10), dropout=tuning.dropout, input_dropout=tuning.input_dropout)
    net.to(cases.images.device)
    fine_tune(
        net,
        cases.images,
        cases.labels,
        validation=(cases.test_images, cases.test_labels) if cases.name == "validation" else None,
        epochs=tuning.epochs,
        head_epochs=tuning.head_epochs,
        batch_size=tuning.batch_size,
        optimizer=tuning.optimizer(),
        schedule=tuning.schedule(),
        weight_cost=tuning.weight_cost,
        precision=run.precision,
        capture=cases.images.is_cuda and tuning.replayed,
        seed=derive(seed, 11),
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    return net


def learnt_rbms(run: Run, pixels: int, layers: Layers, seed: int) -> list[RBM]:
    """The machines of a stack that a run has begun to learn, bottom to top, as far as it has learnt them."""
    found = []
    for index, rbm in enumerate(rbms(pixels, layers, seed)):
        path = run.checkpoint(f"layer {index + 1}")
        if not path.exists():
            break
        restore(rbm, read_tensors(path)[0], "model.")
        found.append(rbm)
    return found


def error_percent(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of cases that the net gets wrong, in percent."""
    return 100 * int((predict(net, images).argmax(1) != labels).sum()) / len(labels)


def layer_filters(dbn: DBN) -> Sequence[Tensor]:
    """Each layer's features as seen in the pixels: W1, W1 W2, ...: (pixels, units)."""
    filters: list[Tensor] = []
    for rbm in dbn.rbms:
        weight = rbm.coupling.get_parameter("weight").detach()
        filters.append(filters[-1] @ weight if filters else weight)
    return filters

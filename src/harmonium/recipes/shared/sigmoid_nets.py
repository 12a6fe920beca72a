"""Many sigmoid nets of one shape, begun at random or at the features of a stack: what Erhan et al. (AISTATS 2009) compare.

Nets that differ in their seed learn together, as replicas. Each step keeps its own checkpoint and is a pure function of its arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.data import mnist
from harmonium.learning import (
    Callback,
    ContrastiveDivergence,
    Replicas,
    ReplicaSGD,
    TrainingState,
    fine_tune,
    greedy,
)
from harmonium.learning.backpropagation import each_loss
from harmonium.models import DBN, RBM
from harmonium.nets import classifier
from harmonium.recipes.shared.labelled_split import split
from harmonium.runs.folder import CHECKPOINTS, Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli

Curves = dict[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]]  # metric -> (epochs, nets)
KINDS = ("pretrained", "random")  # where nets begin
BLOCK = 1000  # cases of all nets that are judged at once


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """How the layers are learnt without labels, one at a time, by CD-1."""

    epochs: int = 20
    batch_size: int = 10
    learning_rate: float = 0.05
    momentum: float = 0.5


@dataclasses.dataclass(frozen=True)
class Descent:
    """How the nets learn the labels: plain stochastic gradient descent, without momentum, weight cost or early stopping."""

    epochs: int = 40
    batch_size: int = 10
    learning_rate: float = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Cases:
    """What the nets learn from and what they are judged on. Images: (cases, pixels) floats in [0, 1]. Labels: (cases,)."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    name: str = "test"


def small_mnist(data_dir: Path | None, *, side: int, cases: int, held_out: int, smoke: bool, device: str) -> Cases:
    """The first cases of MNIST, their pixels averaged in squares.

    Parameters
    ----------
    data_dir
        Where the four original files are, if not in $HARMONIUM_DATA or the cache.
    side
        Pixels of a side, a divisor of 28.
    cases
        Training images.
    held_out
        Judge on this many training cases, the last ones, instead of the test set.
    smoke
        A few images to judge on.
    device
        Where they are put.
    """
    found = split(mnist.load(data_dir), held_out)
    if cases > len(found.images):
        raise ValueError(f"there are {len(found.images):,} training images to learn from, found cases={cases:,}")
    judged = slice(200 if smoke else None)
    images, judged_images = (shrunk(each, side).to(device) for each in (found.images[:cases], found.test_images[judged]))
    return Cases(images, found.labels[:cases].to(device), judged_images, found.test_labels[judged].to(device), found.name)


def shrunk(images: Tensor, side: int) -> Tensor:
    """Images of 28 x 28 bytes, (cases, 784), as means of squares of pixels: (cases, side²) floats in [0, 1]."""
    return F.avg_pool2d(images.reshape(-1, 1, 28, 28).float() / 255, 28 // side).flatten(1)


def seeds_of(seed: int, nets: int) -> list[int]:
    """A seed for each net."""
    return [derive(seed, net) for net in range(nets)]


def learn_stacks(run: Run, images: Tensor, units: Sequence[int], plan: Pretraining, seeds: Sequence[int]) -> list[DBN]:
    """A stack for each net, of all the layers that any net needs; those of shallower nets are its lower part."""
    layers = [Bernoulli(images.shape[1], values="probabilities"), *(Bernoulli(count) for count in units)]
    return greedy(
        images,
        [layer.to(images.device) for layer in layers],
        replicas=len(seeds),
        seed=seeds,
        negative=ContrastiveDivergence(reconstruction="mean"),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        optimizer=partial(ReplicaSGD, lr=plan.learning_rate, momentum=plan.momentum),
        precision=run.precision,
        capture=images.is_cuda,
        checkpoints=run.folder / CHECKPOINTS,
        callbacks=[_OfEachLayer(lambda layer: run.callbacks(f"pre-training layer {layer}"))],
        progress=False,
    )


def untrained_stacks(images: Tensor, units: Sequence[int], nets: int) -> list[DBN]:
    """The shape of nets that are not pre-trained."""
    sizes = [images.shape[1], *units]
    rbms = [RBM(Bernoulli(below, values="probabilities"), Bernoulli(above)) for below, above in pairwise(sizes)]
    return [DBN(rbms).to(images.device)] * nets


@torch.no_grad()
def sigmoid_net(stack: DBN, classes: int, seed: int, *, pretrained: bool) -> nn.Sequential:
    """A net of a stack's shape. Without pre-training all weights, and with it those of the output layer, are from U(-1/√k, 1/√k).

    k is the number of a layer's inputs; biases are zero.
    """
    net, generator = classifier(stack, classes), torch.Generator().manual_seed(derive(seed, 1))
    layers = [module for module in net if isinstance(module, nn.Linear)]
    for layer in layers:
        if not pretrained or layer is layers[-1]:
            reach = layer.in_features**-0.5
            layer.weight.copy_(torch.empty(layer.weight.shape).uniform_(-reach, reach, generator=generator))
            layer.bias.zero_()
    return net


def learn_labels(
    run: Run, phase: str, nets: Replicas[nn.Sequential], cases: Cases, plan: Descent, seed: int, *more: Callback
) -> TrainingState:
    """Backpropagation of all nets at once. The history has each net's loss and error on both parts of the cases after every epoch."""
    return fine_tune(
        nets,
        cases.images,
        cases.labels,
        epochs=plan.epochs,
        head_epochs=0,
        batch_size=plan.batch_size,
        optimizer=partial(ReplicaSGD, lr=plan.learning_rate),
        precision=run.precision,
        capture=cases.images.is_cuda,
        seed=derive(seed, 2),
        callbacks=[Judge(cases), *more, *run.callbacks(phase)],
        checkpoint=run.checkpoint(phase),
        progress=False,
    )


class Judge(Callback):
    """Adds to an epoch's metrics what each net does at its end: its loss on the first training cases, its loss and error on the others."""

    def __init__(self, cases: Cases, most: int = 2000) -> None:
        self.cases, self.most = cases, most

    def on_epoch(self, state: TrainingState) -> None:
        assert isinstance(state.model, Replicas)
        cases, row = self.cases, state.history[-1]
        loss, _ = loss_and_error(state.model, cases.images[: self.most], cases.labels[: self.most])
        test_loss, error = loss_and_error(state.model, cases.test_images, cases.test_labels)
        found = {"training_loss": loss, f"{cases.name}_loss": test_loss, f"{cases.name}_error_percent": error}
        for name, values in found.items():
            row[name] = values.mean().item()
            row |= {f"{name}.{net}": value for net, value in enumerate(values.tolist())}


@torch.no_grad()
def outputs(nets: Replicas[nn.Sequential], images: Tensor) -> Tensor:
    """Unnormalised log-probabilities of every net: (nets, cases, classes)."""
    return torch.cat([nets(block.expand(len(nets), *block.shape)) for block in torch.split(images, BLOCK)], dim=1)


def loss_and_error(nets: Replicas[nn.Sequential], images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy in nats, and the percentage of wrong labels, of every net: (nets,) each."""
    found = outputs(nets, images)
    wrong = (found.argmax(-1) != labels).double().mean(1)
    return each_loss(F.cross_entropy, found, labels.expand(len(nets), -1)), 100 * wrong


def curves_of(rows: Sequence[Mapping[str, float]], nets: int) -> Curves | None:
    """Each net's metrics after every epoch of a phase, from its rows in the run's log; None before the first epoch."""
    names = [name for name in (rows[-1] if rows else ()) if f"{name}.0" in rows[-1]]
    return {name: np.array([[row[f"{name}.{net}"] for net in range(nets)] for row in rows]) for name in names} or None


class _OfEachLayer(Callback):
    """Callbacks of each layer of a stack, which `greedy` trains one after another."""

    def __init__(self, make: Callable[[int], Sequence[Callback]]) -> None:
        self.make, self.layer, self.own = make, 0, list[Callback]()

    def on_start(self, state: TrainingState, epochs: int, batches: int) -> None:
        self.layer += 1
        self.own = list(self.make(self.layer))
        for callback in self.own:
            callback.on_start(state, epochs, batches)

    def on_epoch(self, state: TrainingState) -> None:
        for callback in self.own:
            callback.on_epoch(state)

    def on_end(self, state: TrainingState) -> None:
        for callback in self.own:
            callback.on_end(state)

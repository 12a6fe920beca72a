"""Nets of a rectified and a binary layer, fine-tuned with labels: of whole images in any order of their pixels, and convolutional."""

from __future__ import annotations

import dataclasses
from functools import partial

from torch import Tensor, nn

from harmonium.data import Shifted
from harmonium.data.cifar10 import NAMES, SHAPE
from harmonium.learning import MomentumSGD, Schedule, fine_tune
from harmonium.models import DBN, RBM
from harmonium.nets import classifier
from harmonium.recipes.cifar.colour_layers import POOL
from harmonium.recipes.shared.run_phase import in_run
from harmonium.runs.folder import Run
from harmonium.seeds import derive


@dataclasses.dataclass(frozen=True)
class Backpropagation:
    """How a net is fine-tuned, at a rate that falls linearly to zero."""

    epochs: int
    learning_rate: float
    """From learnt layers, at first."""
    random_rate: float
    """From random ones, at first. What suits the one start need not suit the other."""
    batch_size: int = 100
    momentum: float = 0.9
    weight_cost: float = 1e-4
    dropout: float = 0.0
    """Share of hidden units dropped; in the convolutional net of the binary ones."""
    input_dropout: float = 0.0
    """Share of inputs dropped; the convolutional net drops none."""
    shift: int = 0
    """Pixels by which an image is moved at most, each time that it is visited; above 0 it is also mirrored half of the time."""


def dense_net(stack: list[RBM], how: Backpropagation, seed: int) -> nn.Sequential:
    """The layers of a dense stack below a softmax layer.

    Parameters
    ----------
    stack
        Rectified and binary layer, from the data upwards.
    how, seed
        Its dropout, and the seed of the softmax layer.
    """
    return classifier(DBN(stack), len(NAMES), seed=seed, scale=0.01, dropout=how.dropout, input_dropout=how.input_dropout)


def convolutional_net(stack: list[RBM], how: Backpropagation, seed: int) -> nn.Sequential:
    """The same of a convolutional one, with the maxima of blocks between its layers.

    Parameters
    ----------
    stack, how, seed
        As for `dense_net`; the lower layer has (maps, height, width) units.
    """
    below, above = stack
    rectified = list(classifier(below, len(NAMES)))[:-1]
    binary = list(classifier(above, len(NAMES), seed=seed, scale=0.01, dropout=how.dropout))[1:]
    return nn.Sequential(*rectified, nn.Unflatten(1, below.hidden.shape), nn.MaxPool2d(POOL), nn.Flatten(), *binary)


def tune(
    run: Run, phase: str, net: nn.Sequential, images: Tensor, labels: Tensor, how: Backpropagation, seed: int, *, learnt: bool
) -> nn.Sequential:
    """Backpropagation, in place.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    net
        It begins at learnt or at random layers.
    images, labels
        What it learns from: (cases, inputs) and (cases,).
    how, seed
        How it learns, and the seed of the draws and of the order of the cases.
    learnt
        Whether its layers are, which decides the rate.
    """
    rate = how.learning_rate if learnt else how.random_rate
    in_run(run, phase, fine_tune)(
        net.to(images.device),
        Shifted(images, most=how.shift, shape=SHAPE, mirrored=True) if how.shift else images,
        labels,
        epochs=how.epochs,
        head_epochs=0,
        batch_size=how.batch_size,
        optimizer=partial(MomentumSGD, lr=rate, momentum=how.momentum),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        weight_cost=how.weight_cost,
        capture=images.is_cuda,
        seed=derive(seed, 1),
    )
    return net

"""A deep autoencoder, step by step: a stack of RBMs with a linear code on top, unrolled and fine-tuned; and the same from random weights.

Each step keeps its own checkpoint and is a pure function of its arguments, so that a run resumes by being run again. Images in bytes are
grey levels, probabilities of binary units; those of real numbers, of mean 0 and variance 1 or so, are states of real-valued units.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Dense
from harmonium.learning import ContrastiveDivergence, MomentumSGD, Schedule, features, fine_tune, fit, predict
from harmonium.models import DBN, RBM
from harmonium.nets import Autoencoder, autoencoder
from harmonium.recipes.shared.labelled_split import Split
from harmonium.recipes.shared.random_weights import spread
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, Unit

TUNED, FROM_RANDOM, MAP = "backpropagation", "backpropagation from random weights", "backpropagation of the map"  # the phases' names


@dataclasses.dataclass(frozen=True)
class CodedLayers:
    """How the stack of an autoencoder is learnt, one RBM at a time, by CD-1."""

    units: tuple[int, ...]
    """Hidden units of each layer, from the bottom; the last are the numbers of the code, which are linear."""
    epochs: int
    """Over the training images, for each layer."""
    batch_size: int = 100
    learning_rate: float = 0.1
    first_rate: float | None = None
    """Learning rate of the lowest RBM, where it is another: that of real-valued pixels."""
    code_rate: float = 0.001
    """Learning rate of the RBM with linear hidden units."""
    weight_cost: float = 2e-4
    early_momentum: float = 0.5
    """In the first five epochs."""
    late_momentum: float = 0.9
    scale: float = 0.1
    """Standard deviation of the initial weights."""

    def __post_init__(self) -> None:
        if len(self.units) < 2 or min(self.units) < 1 or self.epochs < 1:
            raise ValueError(f"an autoencoder has two layers or more, of at least one unit, and learns for an epoch, found {self}")


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """How backpropagation fine-tunes an unrolled stack, by Adam on the loss of its pixels: the cross-entropy, or the squared error."""

    epochs: int
    batch_size: int = 200
    learning_rate: float = 0.001
    """At first; it falls linearly to zero."""
    weight_cost: float = 0.0


class Learnt(NamedTuple):
    """All that a run learns."""

    unrolled: float
    """The judged squared error of the stack as it is unrolled, before fine-tuning."""
    tuned: Autoencoder
    random: Autoencoder | None
    """From random weights, by as many updates."""
    map: Autoencoder | None
    """With a code of two numbers."""


def learn_all(
    run: Run, cases: Split, layers: CodedLayers, tuning: Unrolled, seed: int, *, beside: bool = True, plane: bool = False
) -> Learnt:
    """Each phase from its checkpoint, where there is one.

    Parameters
    ----------
    run
        The folder of the run.
    cases
        The images. Of held-out ones the nets end with the weights of the best epoch.
    layers, tuning
        How the layers learn, and how all of them are fine-tuned.
    seed
        The seed of all weights and orders.
    beside
        Whether a net from random weights learns too.
    plane
        Whether a net with a code of two numbers learns too.
    """
    images, held = cases.images, cases.test_images if cases.name == "validation" else None
    stack = learn_layers(run, images, layers, seed)
    net = learn_code(run, images, stack, layers, layers.units[-1], seed)
    unrolled = squared_error(net, cases.test_images)
    tune(run, TUNED, net, images, tuning, seed, held)
    random = two = None
    if beside:
        random = tune(run, FROM_RANDOM, random_start(images, layers.units, seed), images, tuning, seed, held)
    if plane:
        two = tune(run, MAP, learn_code(run, images, stack, layers, 2, seed), images, tuning, seed, held)
    return Learnt(unrolled, net, random, two)


def values(images: Tensor) -> Tensor:
    """Images as the numbers that errors are measured in, on the CPU: grey levels from 0 to 1, or real numbers as they are."""
    return images.cpu().float() / 255 if images.dtype == torch.uint8 else images.cpu()


def pixels(images: Tensor) -> Unit:
    """The visible units of images, (cases, pixels): binary for grey levels, real-valued for real numbers."""
    count = images.shape[1]
    return Gaussian(count, variance=1.0) if images.is_floating_point() else Bernoulli(count, values="probabilities")


def layer(visible: Unit, above: int, layers: CodedLayers, seed: int, *, linear: bool = False) -> RBM:
    """An untrained machine of a stack; its hidden units are linear for a code."""
    coupling = Dense(visible.shape[0], above, scale=layers.scale, seed=seed)
    return RBM(visible, Gaussian(above) if linear else Bernoulli(above), coupling)


def learn_layer(run: Run, phase: str, rbm: RBM, data: Tensor, layers: CodedLayers, rate: float, seed: int) -> RBM:
    """One machine of the stack by CD-1.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    rbm
        The machine, which learns in place.
    data
        The means of the layer below, (cases, units).
    layers, rate
        How it learns, and at which rate.
    seed
        The seed of the draws and of the order of the cases.
    """
    fit(
        rbm.to(data.device),
        data,
        negative=ContrastiveDivergence(reconstruction="mean"),
        epochs=layers.epochs,
        batch_size=layers.batch_size,
        optimizer=partial(MomentumSGD, lr=rate, momentum=layers.early_momentum),
        schedule=partial(Schedule, momentum=lambda epoch: layers.early_momentum if epoch < 5 else layers.late_momentum),
        weight_cost=layers.weight_cost,
        precision=run.precision,
        capture=data.is_cuda,
        seed=seed,
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    return rbm


def learn_layers(run: Run, images: Tensor, layers: CodedLayers, seed: int) -> list[RBM]:
    """All layers below the code, bottom to top. `images`: (cases, pixels)."""
    stack: list[RBM] = []
    for index, above in enumerate(layers.units[:-1]):
        visible = Bernoulli(layers.units[index - 1], values="probabilities") if stack else pixels(images)
        data = features(images, *stack) if stack else images
        rate = layers.learning_rate if stack or layers.first_rate is None else layers.first_rate
        rbm = layer(visible, above, layers, derive(seed, index))
        stack.append(learn_layer(run, f"layer {index + 1}", rbm, data, layers, rate, derive(seed, index)))
    return stack


def learn_code(run: Run, images: Tensor, stack: Sequence[RBM], layers: CodedLayers, size: int, seed: int) -> Autoencoder:
    """A machine with `size` linear hidden units on top of learnt layers, and all of it unrolled."""
    below = Bernoulli(layers.units[-2], values="probabilities")
    top = layer(below, size, layers, derive(seed, 20, size), linear=True)
    learn_layer(run, f"code of {size}", top, features(images, *stack), layers, layers.code_rate, derive(seed, 20, size))
    return autoencoder(DBN([*stack, top]))


def random_start(images: Tensor, units: Sequence[int], seed: int) -> Autoencoder:
    """An autoencoder of the same shape with random weights, as deep sigmoid nets should begin (Glorot & Bengio 2010).

    Weights are normal with variance 2 / (inputs + outputs), 16 times as much into sigmoid units; the pixels' biases are those of their
    means. Nothing of the decoder is the encoder's.
    """
    sizes, halves = [images.shape[1], *units], []
    for half in range(2):
        rbms = []
        for index, (below, above) in enumerate(pairwise(sizes)):
            top, real = index == len(units) - 1, index == 0 and images.is_floating_point()
            scale = spread(below, above, linear=top if half == 0 else real)
            coupling = Dense(below, above, scale=scale, seed=derive(seed, 30, half, index))
            visible = Bernoulli(below, values="probabilities") if index else pixels(images)
            rbms.append(RBM(visible, Gaussian(above) if top else Bernoulli(above), coupling))
        rbms[0].visible.init_from(values(images))
        halves.append(autoencoder(DBN(rbms)))
    return Autoencoder(halves[0].encoder, halves[1].decoder).to(images.device)


def tune(run: Run, phase: str, net: Autoencoder, images: Tensor, how: Unrolled, seed: int, held: Tensor | None = None) -> Autoencoder:
    """Backpropagation of the net's loss of images, and what comes back.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    net
        The net, which learns in place.
    images
        (cases, pixels).
    how
        Epochs, rate and weight cost.
    seed
        The seed of the order of the cases.
    held
        Images that are held out: the net ends with the weights of the epoch that reconstructs them best.
    """
    fine_tune(
        net,
        images,
        images,
        loss=net.loss,
        validation=None if held is None else (held, held),
        epochs=how.epochs,
        batch_size=how.batch_size,
        optimizer=partial(torch.optim.Adam, lr=how.learning_rate, fused=True, capturable=images.is_cuda),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        weight_cost=how.weight_cost,
        precision=run.precision,
        capture=images.is_cuda,
        seed=derive(seed, 21),
        callbacks=run.callbacks(phase),
        checkpoint=run.checkpoint(phase),
        progress=False,
    )
    return net


@torch.no_grad()
def squared_error(net: Autoencoder, images: Tensor) -> float:
    """Σ over pixels of (x - reconstruction)², the mean over images; grey levels are x from 0 to 1."""
    return net.squared_error(predict(net, images), images.cpu()).item()

"""Convolutional layers with probabilistic max-pooling, learnt one at a time from unlabelled images (Lee et al. 2009)."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import cast

from torch import Tensor, nn

from harmonium.couplings import Convolutional
from harmonium.learning import ContrastiveDivergence, MomentumSGD, Schedule, Sparsity, features, fit
from harmonium.models import DBN, RBM
from harmonium.recipes.shared.random_weights import spread
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, PooledBlocks

SIDE = 28


@dataclasses.dataclass(frozen=True)
class Maps:
    """How the convolutional layers are made and learnt."""

    channels: tuple[int, ...] = (32, 64)
    """Maps of each layer, from the bottom."""
    kernel: int = 5
    pool: int = 2
    """A block is so many units high and wide."""
    epochs: int = 5
    """Over the training images, for each layer."""
    batch_size: int = 50
    learning_rate: float = 0.5
    """At first; it falls linearly to zero. Gradients of weights and biases are means over an image's places."""
    momentum: float = 0.9
    weight_cost: float = 1e-4
    scale: float = 0.1
    """Standard deviation of the initial weights."""
    sparsity: float = 0.1
    """The share of the time that a pooled block is to be on."""
    sparsity_cost: float = 0.05

    def __post_init__(self) -> None:
        if not self.channels or min(*self.channels, self.kernel, self.pool, self.epochs) < 1:
            raise ValueError(f"convolutional layers have at least one map, one weight and one epoch, found {self}")


def machines(maps: Maps, seed: int, *, scale: float | None = None) -> list[RBM]:
    """The untrained machines of the stack, bottom to top. A pooled unit without input is on in half of the cases.

    Parameters
    ----------
    maps
        The layers.
    seed
        The seed of the weights.
    scale
        The standard deviation of the weights; by default √(32 / (fan-in + fan-out)), as Glorot & Bengio (2010) have it for logistic units.

    Raises
    ------
    ValueError
        For images that do not divide into the blocks of a layer.
    """
    found: list[RBM] = []
    shape: tuple[int, ...] = (1, SIDE, SIDE)
    for index, channels in enumerate(maps.channels):
        places = shape[1] - maps.kernel + 1
        if places < maps.pool or places % maps.pool:
            raise ValueError(
                f"layer {index + 1} of kernel {maps.kernel} sees maps of {shape[1]} x {shape[2]} pixels and has {places} x {places} "
                f"places, which do not divide into blocks of {maps.pool} x {maps.pool}"
            )
        fans = shape[0] * maps.kernel**2, channels * maps.kernel**2
        kernels = Convolutional(
            shape, channels, kernel=maps.kernel, scale=spread(*fans) if scale is None else scale, seed=derive(seed, index)
        )
        hidden = PooledBlocks(kernels.hidden, pool=(maps.pool, maps.pool), bias_shape=(channels, 1, 1))
        nn.init.constant_(hidden.bias, -math.log(maps.pool**2))
        found.append(RBM(Bernoulli(shape, values="probabilities", bias_shape=(shape[0], 1, 1)), hidden, kernels))
        shape = cast(tuple[int, ...], tuple(hidden.output_shape))
    return found


def learn(run: Run, images: Tensor, maps: Maps, seed: int) -> DBN:
    """The stack, each layer from the pooled probabilities of the one below. `images`: (cases, 1, 28, 28) uint8."""
    stack = machines(maps, seed, scale=maps.scale)
    for index, rbm in enumerate(stack):
        phase = f"layer {index + 1}"
        places = rbm.hidden.shape[1] * rbm.hidden.shape[2]
        fit(
            rbm,
            features(images, *stack[:index]) if index else images,
            negative=ContrastiveDivergence(reconstruction="mean"),
            epochs=maps.epochs,
            batch_size=maps.batch_size,
            optimizer=partial(MomentumSGD, lr=maps.learning_rate / places, momentum=maps.momentum),
            schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / maps.epochs),
            weight_cost=maps.weight_cost * places,
            sparsity=Sparsity(target=maps.sparsity / maps.pool**2, cost=maps.sparsity_cost),
            precision=run.precision,
            seed=derive(seed, index, 1),
            callbacks=run.callbacks(phase),
            checkpoint=run.checkpoint(phase),
            progress=False,
        )
    return DBN(stack)

"""A siamese convolutional net that learns a metric of faces from pairs (Chopra, Hadsell & LeCun 2005), smaller than theirs."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harmonium.data.verification import ImagePairs
from harmonium.learning import MomentumSGD, Schedule, fine_tune
from harmonium.nets import Distance, Visible, contrastive_loss
from harmonium.recipes.shared.random_weights import begun
from harmonium.recipes.shared.run_phase import in_run
from harmonium.recipes.verification.cropped_faces import SHAPE
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Gaussian

KERNELS, POOL = (5, 4), 2


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """The net, and how it learns, at a rate that falls linearly to zero."""

    maps: tuple[int, int] = (8, 20)
    """Of either convolution."""
    features: int = 40
    """Of a face, each between -1 and 1."""
    epochs: int = 2
    learning_rate: float = 0.001
    """At first."""


def convolutional(how: Convolutions, seed: int) -> nn.Sequential:
    """An untrained net: pairs of faces, (cases, 2, pixels), to their distances, (cases,)."""
    below, above = how.maps
    height, width = (((side - KERNELS[0] + 1) // POOL - KERNELS[1] + 1) // POOL for side in SHAPE)
    net = nn.Sequential(
        Visible(Gaussian(math.prod(SHAPE), variance=1.0), leading=(2,)),
        nn.Flatten(0, 1),
        nn.Unflatten(1, (1, *SHAPE)),
        nn.Conv2d(1, below, KERNELS[0]),
        nn.Tanh(),
        nn.AvgPool2d(POOL),
        nn.Conv2d(below, above, KERNELS[1]),
        nn.Tanh(),
        nn.AvgPool2d(POOL),
        nn.Flatten(),
        nn.Linear(above * height * width, how.features),
        nn.Tanh(),
        nn.Unflatten(0, (-1, 2)),
        Distance(),
    )
    return begun(net, seed)


def learn_metric(run: Run, phase: str, pairs: Tensor, same: Tensor, how: Convolutions, seed: int) -> nn.Sequential:
    """The net that has learnt from pairs.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    pairs, same
        (pairs, 2, pixels), and (pairs,) int64: 1 where both are of one person.
    how, seed
        The net and its learning, and the seed of its weights and of the order of the pairs.
    """
    net = convolutional(how, derive(seed, 0))
    in_run(run, phase, fine_tune)(
        net,
        pairs,
        same.float(),
        loss=partial(contrastive_loss, bound=2.0 * how.features),
        epochs=how.epochs,
        head_epochs=0,
        batch_size=50,
        optimizer=partial(MomentumSGD, lr=how.learning_rate, momentum=0.9),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        seed=derive(seed, 1),
    )
    return net


@torch.no_grad()
def closeness(net: nn.Sequential, images: Tensor, pairs: ImagePairs) -> NDArray[np.float64]:
    """Of each pair, minus the distance that a net finds: (pairs,).

    Parameters
    ----------
    net
        Pairs, (cases, 2, pixels), to their distances, (cases,).
    images, pairs
        (images, pixels), and the pairs among them.
    """
    found: Tensor = net(images[pairs.images])
    return -found.double().numpy()

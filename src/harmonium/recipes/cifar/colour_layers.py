"""Machines of colour images: a rectified layer below a binary one, of patches, of whole images, and convolutional; and how they learn.

Rectified units have a cap, as those of Krizhevsky (2010), so that states are bounded whatever the weights; a rate that is too high still
drives every unit to it.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings import Convolutional, Dense
from harmonium.data.cifar10 import SHAPE
from harmonium.learning import ContrastiveDivergence, MomentumSGD, Schedule, fit
from harmonium.models import RBM
from harmonium.recipes.shared.random_weights import spread
from harmonium.recipes.shared.run_phase import in_run
from harmonium.runs.folder import Run
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Gaussian, NoisyReLU, PooledBlocks

CAP = 6.0
AT_ONCE = 250  # cases of which all maps are held at once
POOL = 2  # places of a side that become one, after either convolution
Start = Literal["learnt", "random"]


@dataclasses.dataclass(frozen=True)
class Layer:
    """How one layer of features is learnt by CD-1, at a rate that falls linearly to zero."""

    units: int
    """Hidden units or, of a convolution, maps."""
    epochs: int
    learning_rate: float
    """At first. Gradients of a convolution are means over an image's places."""
    batch_size: int = 100
    momentum: float = 0.9
    reconstruction: Literal["sample", "mean"] = "sample"
    """Of the visible units: from means, rectified units on real values learn noise and no filters."""

    def __post_init__(self) -> None:
        if min(self.units, self.epochs, self.batch_size) < 1:
            raise ValueError(f"a layer has at least one unit and learns for at least one epoch, found {self}")


def of_patches(side: int, units: int, seed: int) -> RBM:
    """An untrained machine of a rectified layer on patches of three colours.

    Parameters
    ----------
    side, units
        Pixels of a side of a patch, whose values are (3 · side²,), and hidden units.
    seed
        Of the weights.
    """
    return RBM(Gaussian(3 * side**2, variance=1.0), NoisyReLU(units, cap=CAP), Dense(3 * side**2, units, scale=0.02, seed=seed))


def dense(inputs: int, units: int, above: int, start: Start, seed: int) -> list[RBM]:
    """An untrained rectified layer of all inputs, and a binary one above it.

    Parameters
    ----------
    inputs, units, above
        Numbers of visible, rectified and binary units.
    start
        Whether the weights are for learning layer by layer, or for backpropagation from where they are.
    seed
        The seed of the weights.
    """
    random = start == "random"
    scales = (spread(inputs, units, linear=True), spread(units, above)) if random else (1 / (math.sqrt(inputs) + math.sqrt(units)), 0.02)
    first, second = (
        Dense(*sizes, scale=scale, seed=derive(seed, place))
        for place, (sizes, scale) in enumerate(zip(((inputs, units), (units, above)), scales, strict=True))
    )
    return [RBM(Gaussian(inputs, variance=1.0), NoisyReLU(units, cap=CAP), first), RBM(NoisyReLU(units, cap=CAP), Bernoulli(above), second)]


def of_tiles(maps: int, kernel: int, stride: int, seed: int) -> RBM:
    """An untrained convolutional rectified layer of whole images, whose kernels stand some pixels apart.

    With a kernel at every pixel more than a thousand hidden units reconstruct each pixel, and contrastive divergence learns next to nothing
    at the rates that it survives (see the recipe's page). What tiles have learnt is used at every pixel by `everywhere`.

    Parameters
    ----------
    maps, kernel, stride
        Number of maps, pixels of a side of a kernel, and pixels from one to the next.
    seed
        Of the weights.
    """
    return _rectified(Convolutional(SHAPE, maps, kernel=kernel, stride=stride, scale=0.02, seed=seed))


@torch.no_grad()
def everywhere(maps: int, kernel: int, seed: int, tiles: RBM | None = None) -> RBM:
    """A convolutional rectified layer with a kernel at every pixel: that of tiles or, without them, a random one fit for backpropagation.

    Parameters
    ----------
    maps, kernel
        The number of maps, and the odd side of a kernel.
    seed
        The seed of random kernels.
    tiles
        The machine whose kernels and biases it takes.

    Raises
    ------
    ValueError
        For a kernel of an even side, with which maps would not have the size of the image.
    """
    if kernel % 2 == 0:
        raise ValueError(f"kernels at every pixel have an odd number of pixels on each side, found {kernel}: choose {kernel + 1}")
    scale = spread(SHAPE[0] * kernel**2, maps * kernel**2, linear=True)
    found = _rectified(Convolutional(SHAPE, maps, kernel=kernel, padding=kernel // 2, scale=scale, seed=seed))
    if tiles is not None:
        found.load_state_dict(tiles.state_dict())
    return found


def on_maxima(maps: int, above: int, kernel: int, start: Start, seed: int) -> RBM:
    """An untrained convolutional layer of pooled binary blocks, which sees the maxima of the blocks of rectified maps.

    Parameters
    ----------
    maps, above
        The numbers of rectified maps and of maps of binary units.
    kernel
        Side of a kernel, in places.
    start
        Whether the layer is to learn without labels first, from small weights.
    seed
        Of the weights.
    """
    shape = (maps, SHAPE[1] // POOL, SHAPE[2] // POOL)
    scale = spread(maps * kernel**2, above * kernel**2) if start == "random" else 0.02
    kernels = Convolutional(shape, above, kernel=kernel, padding=kernel // 2, scale=scale, seed=seed)
    hidden = PooledBlocks(kernels.hidden, pool=(POOL, POOL), bias_shape=(above, 1, 1))
    nn.init.constant_(hidden.bias, -math.log(POOL**2))  # on in half of the cases
    return RBM(NoisyReLU(shape, cap=CAP, bias_shape=(maps, 1, 1)), hidden, kernels)


def _rectified(kernels: Convolutional) -> RBM:
    biases = (kernels.channels, 1, 1)
    return RBM(Gaussian(SHAPE, variance=1.0, bias_shape=(SHAPE[0], 1, 1)), NoisyReLU(kernels.hidden, cap=CAP, bias_shape=biases), kernels)


def learn(run: Run, phase: str, rbm: RBM, data: Tensor, how: Layer, seed: int) -> RBM:
    """One machine, in place.

    Parameters
    ----------
    run, phase
        The folder of the run, and the name of the phase.
    rbm, data
        The machine, and the cases that it learns from.
    how, seed
        How it learns, and the seed of the draws and of the order of the cases.
    """
    places = math.prod(rbm.hidden.shape[1:])
    in_run(run, phase, fit)(
        rbm.to(data.device),
        data.reshape(-1, *rbm.visible.shape),
        negative=ContrastiveDivergence(reconstruction=how.reconstruction),
        epochs=how.epochs,
        batch_size=how.batch_size,
        optimizer=partial(MomentumSGD, lr=how.learning_rate / places, momentum=how.momentum),
        schedule=partial(Schedule, lr=lambda epoch: 1 - epoch / how.epochs),
        capture=data.is_cuda,
        seed=seed,
    )
    return rbm


@torch.no_grad()
def noiseless(rectified: RBM, data: Tensor) -> Tensor:
    """What a rectified layer gives without its noise, as in a net; of a convolution, the maxima of its blocks.

    Parameters
    ----------
    rectified
        The machine of the layer, dense or convolutional.
    data
        White values, (cases, values).

    Returns
    -------
    Tensor
        (cases, units), or (cases, maps, height / 2, width / 2) of a convolution.
    """
    found = []
    for rows in torch.split(data, AT_ONCE):
        states = rectified.hidden.mode(rectified.hidden_input(rows.reshape(-1, *rectified.visible.shape)))
        found.append(F.max_pool2d(states, POOL) if states.dim() == 4 else states)
    return torch.cat(found)

"""Frames of running chains."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.models import Generative
from harmonium.units import NOTHING, Given


@torch.no_grad()
def film(
    model: Generative,
    chains: int,
    *,
    frames: int,
    steps: int,
    generator: torch.Generator,
    start: Tensor | None = None,
    labels: Tensor | None = None,
    given: Given = NOTHING,
) -> Tensor:
    """Samples chains and records what they generate, frame by frame.

    The chains are Gibbs chains of an RBM, of a net's top RBM, or of all layers of a deep Boltzmann machine. Each frame is one stochastic
    top-down pass, and its lowest layer is shown as means. Hinton, Osindero & Teh (2006, section 7) look into the "mind" of a net in this
    way.

    Parameters
    ----------
    model : Generative
        An `RBM`, a `DBN` or a `DBM`.
    chains : int
        Number of chains.
    frames : int
        Number of frames per chain.
    steps : int
        Gibbs sweeps from one frame to the next.
    generator : torch.Generator
        The source of all draws.
    start : Tensor, optional
        (chains, *visible.shape), data at which the chains begin. A net sends them up once. By default the chains begin at draws from the
        units' own biases.
    labels : Tensor, optional
        (chains,) integers, the clamped labels of a net with label units. Labels are not part of the frames. Softmax units of other models
        are.
    given : Given, optional
        Side information about each chain.

    Returns
    -------
    Tensor
        (chains, frames, *visible.shape), means of the visible layer.

    Raises
    ------
    ValueError
        If there is no frame or no sweep, or for `labels` or `given` of a deep Boltzmann machine.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> frames = hm.sampling.film(rbm, 3, frames=2, steps=5, generator=torch.Generator().manual_seed(0))
    >>> tuple(frames.shape)
    (3, 2, 6)
    """
    if frames < 1 or steps < 1:
        raise ValueError(f"a film takes at least one frame, and at least one sweep per frame, found {frames=} and {steps=}")
    states, side = model.initial_states(chains, generator=generator, start=start, labels=labels, given=given)
    shown = []
    for _ in range(frames):
        states = model.machine.gibbs(states, steps=steps, generator=generator, given=side)
        shown.append(model.data_mean(states, generator=generator, given=given))
    return torch.stack(shown, dim=1)

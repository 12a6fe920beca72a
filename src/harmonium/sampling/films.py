"""Chains that are looked at as they go."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.models import Generative
from harmonium.units import Given


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
    given: Given | None = None,
) -> Tensor:
    """Fantasies as the chains go on: (chains, frames, *visible.shape), means of the visible layer.

    Gibbs sampling of an RBM, or of a net's top one, `steps` sweeps from frame to frame; each frame is one stochastic top-down pass whose
    lowest layer is shown as means ("what is on its mind", Hinton, Osindero & Teh 2006, section 7); of a deep Boltzmann machine all layers
    are sampled, and frames are (chains, frames, units) of the data's. `start`: data, (chains, *visible.shape), sent up once; by default
    draws from the units' own biases. `labels`: (chains,) integers, clamped, of a net with labels; these are no part of the frames, softmax
    units of other models are. `given`: what is given of each chain. ValueError for either of a deep Boltzmann machine.
    """
    if frames < 1 or steps < 1:
        raise ValueError(f"a film has at least one frame, and a sweep from one to the next, found {frames=} and {steps=}")
    states, side = model.initial_states(chains, generator=generator, start=start, labels=labels, given=given)
    shown = []
    for _ in range(frames):
        states = model.machine.gibbs(states, steps=steps, generator=generator, given=side)
        shown.append(model.data_mean(states, generator=generator, given=given))
    return torch.stack(shown, dim=1)

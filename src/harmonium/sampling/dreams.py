"""What is on a belief net's mind: its top-level chain, seen through the layers below."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.models import DBN


@torch.no_grad()
def film(
    dbn: DBN,
    chains: int,
    *,
    frames: int,
    steps: int,
    generator: torch.Generator,
    start: Tensor | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """Chains of Gibbs sampling in the top RBM, one stochastic top-down pass each `steps` sweeps: (chains, frames, *visible.shape), means.

    They begin as those of `DBN.generate`: at random states or at an up-pass from `start`, (chains, *visible.shape); label units are free,
    or clamped to `labels`, (chains,) integers. The top-down passes leave the chains alone (Hinton, Osindero & Teh 2006, figures 8 and 9).
    """
    states, pictures = dbn.beginning(chains, generator=generator, start=start, labels=labels), []
    for _ in range(frames):
        states = dbn.dream(states, steps=steps, generator=generator, clamped=labels is not None)
        pictures.append(seen(dbn, states, generator))
    return torch.stack(pictures, dim=1)


def seen(dbn: DBN, states: Tensor, generator: torch.Generator) -> Tensor:
    """Visible means of a stochastic down-pass from states of the top RBM's visible layer."""
    if len(dbn.generative):
        return dbn.down(dbn.split(states)[0], generator=generator)
    return dbn.top.visible_mean(dbn.top.sample_hidden(states, generator=generator))


@torch.no_grad()
def gibbs_label_probability(dbn: DBN, v: Tensor, *, sweeps: int = 50, generator: torch.Generator) -> Tensor:
    """p(y | v) by Gibbs sampling, (cases, classes): the label units begin at equal shares, the layer below stays at its up-pass's states.

    The mean over the later half of the sweeps of p(y | h). Hinton, Osindero & Teh (2006) found it about one percent of error worse than
    free energies, which `label_log_probability` takes; it shows what the net does by itself. ValueError where the net has no label units.
    """
    if dbn.labels is None:
        raise ValueError("the net has no label units to sample")
    if sweeps < 1:
        raise ValueError(f"Gibbs sampling takes at least one sweep, found {sweeps}")
    x = dbn.up(v, generator=generator)
    y = x.new_full((len(x), dbn.labels.categories), 1 / dbn.labels.categories)
    total = torch.zeros_like(y)
    for sweep in range(sweeps):
        h = dbn.top.sample_hidden(torch.cat([x, y], dim=1), generator=generator)
        input = dbn.split(dbn.top.visible_input(h))[1]
        assert input is not None
        mean = dbn.labels.mean(input)
        y = dbn.labels.sample(input, generator=generator, mean=mean)
        if sweep >= sweeps // 2:
            total += mean
    return total / (sweeps - sweeps // 2)


@torch.no_grad()
def complete_image(
    dbn: DBN,
    v: Tensor,
    missing: Tensor,
    *,
    steps: int = 100,
    sweeps: int = 5,
    generator: torch.Generator,
    labels: Tensor | None = None,
) -> Tensor:
    """The missing part of images, made up by a belief net: (cases, *visible.shape), means where missing, what was seen elsewhere.

    `v`, `missing`: (cases, *visible.shape), the mask true where a value was not seen. It begins at means of the visible units' own biases;
    `steps` times an up-pass of the image, `sweeps` of Gibbs sampling in the top RBM (labels free, or clamped to `labels`, (cases,)), and a
    down-pass, which is believed where the image is missing. The up-pass is approximate inference, so that unlike `complete` of an RBM this
    is no sampler of the exact p(missing | seen).
    """
    if missing.shape != v.shape:
        raise ValueError(f"the mask of missing values must have the shape of the images, {tuple(v.shape)}, found {tuple(missing.shape)}")
    visible = dbn.rbms[0].visible
    image = torch.where(missing, visible.mean(visible.blank(len(v))), v.to(visible.blank()))
    for _ in range(steps):
        states = dbn.beginning(len(v), generator=generator, start=image, labels=labels)
        states = dbn.dream(states, steps=sweeps, generator=generator, clamped=labels is not None)
        image = torch.where(missing, seen(dbn, states, generator), image)
    return image

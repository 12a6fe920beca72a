"""A mixture of products of Bernoulli distributions, by expectation maximisation: what an implicit mixture without hidden units would be."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

PSEUDO = 1.0  # images of ink and as many of ground that each component is taken to have seen beside its own


class MixtureOfBernoullis(NamedTuple):
    """Components, each with a share and with a rate of every pixel.

    Attributes
    ----------
    log_shares : Tensor
        (components,), nats.
    rates : Tensor
        (components, pixels).
    """

    log_shares: Tensor
    rates: Tensor

    def joint(self, images: Tensor) -> Tensor:
        """log p(image, component): (images, components), nats. Grey levels, 0 to 1, count as so much of an image of ink."""
        return self.log_shares + images @ torch.logit(self.rates).T + torch.log1p(-self.rates).sum(1)

    def cluster(self, images: Tensor) -> Tensor:
        """The most probable component of each image: (images,)."""
        return self.joint(images).argmax(1)


def fit_bernoullis(images: Tensor, components: int, *, starts: int, sweeps: int, seed: int) -> tuple[MixtureOfBernoullis, list[float]]:
    """The likeliest of several mixtures, and what each of its sweeps reached: nats an image, with the prior of the rates.

    Parameters
    ----------
    images
        (images, pixels), from 0 to 1.
    components
        Number of them.
    starts
        Mixtures that are learnt, each from other images.
    sweeps
        At most so many; it ends where one adds less than 0.0001 nats an image.
    seed
        Of the images that components start at.
    """
    found = []
    for start in range(starts):
        generator = torch.Generator().manual_seed(seed + start)
        chosen = images[torch.randperm(len(images), generator=generator)[:components]]
        mixture = MixtureOfBernoullis(torch.full((components,), -math.log(components)), 0.25 + 0.5 * chosen)
        reached: list[float] = []
        while len(reached) < sweeps and (len(reached) < 2 or reached[-1] - reached[-2] > 1e-4):
            joint = mixture.joint(images)
            prior = PSEUDO * (mixture.rates.log() + torch.log1p(-mixture.rates)).sum()
            reached.append(float(joint.logsumexp(1).double().mean() + prior / len(images)))
            mixture = maximised(images, joint.softmax(1))
        found.append((reached[-1], mixture, reached))
    _, best, reached = max(found, key=lambda each: each[0])
    return best, reached


def maximised(images: Tensor, responsibilities: Tensor) -> MixtureOfBernoullis:
    """The mixture that suits so much of each image, (images, components), in each component best.

    Parameters
    ----------
    images
        (images, pixels), from 0 to 1.
    responsibilities
        (images, components), of which a row sums to 1.
    """
    sizes = responsibilities.sum(0)
    rates = (responsibilities.T @ images + PSEUDO) / (sizes[:, None] + 2 * PSEUDO)
    return MixtureOfBernoullis((sizes / len(images)).clamp_min(1e-30).log(), rates)

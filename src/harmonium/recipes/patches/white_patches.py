"""Whitened patches of photographs, to learn from and to be judged on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data import Whitening, patches, whiten, without_mean
from harmonium.seeds import derive


class White(NamedTuple):
    """Whitened patches, (cases, components) each, and the map that whitened them."""

    learnt_from: Tensor
    judged: Tensor
    whitening: Whitening


@dataclasses.dataclass(frozen=True)
class Cut:
    """How patches are cut and divided."""

    side: int
    """In pixels."""
    components: int
    """Of the whitened patches: those of largest variance. The patches' own means are subtracted, so there are side² - 1 at most."""
    cases: int
    """To learn from."""
    judged: int
    """To be judged on."""
    apart: bool
    """The right quarter of each photograph is judged on alone. Otherwise both kinds of patches are of all places, and whitened together."""


def cut(photographs: Sequence[Tensor], how: Cut, seed: int) -> White:
    """Patches less their means, whitened without regularisation.

    Grey levels are whole numbers, of which a density could be as high as one likes, so that uniform noise within each level is added first.

    Parameters
    ----------
    photographs
        (height, width) uint8 each.
    how
        What is cut of them.
    seed
        Of the places and of the noise.
    """
    shown, held = photographs, photographs
    if how.apart:
        shown = [image[:, : 3 * image.shape[1] // 4] for image in photographs]
        held = [image[:, 3 * image.shape[1] // 4 :] for image in photographs]
    generator = torch.Generator().manual_seed(derive(seed, 2))
    rows = [
        patches(images, how.side, count, seed=derive(seed, place))
        for place, (images, count) in enumerate(((shown, how.cases), (held, how.judged)))
    ]
    learnt_from, judged = (without_mean(each + torch.rand(each.shape, generator=generator)) for each in rows)
    seen = learnt_from if how.apart else torch.cat([learnt_from, judged])
    _, whitening = whiten(seen, kind="pca", components=how.components, regularisation=0.0)
    return White(whitening(learnt_from), whitening(judged), whitening)

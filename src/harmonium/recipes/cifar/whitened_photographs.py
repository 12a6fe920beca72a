"""Small colour photographs without the correlations of their pixels: by principal components, or by one small convolution."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.data import patches, whiten
from harmonium.data.batches import BLOCK
from harmonium.data.cifar10 import SHAPE

SIZE = 9  # pixels of a side of the convolution
FITTED_ON = 20_000  # patches
COLOURS = SHAPE[0]


@dataclass(frozen=True, eq=False)
class LocalWhitening:
    """What the middle pixel of a patch becomes when the patch is whitened, at every place of an image: it commutes with shifts.

    Parameters
    ----------
    mean : Tensor
        (3,), of each colour.
    kernel : Tensor
        (3, 3, 9, 9), of the convolution.
    """

    mean: Tensor
    kernel: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        """(cases, 3072), from 0 to 255, -> (cases, 3072); beyond the edges lies the mean."""
        found = torch.empty(len(images), images.shape[1])
        for start in range(0, len(images), BLOCK):
            centred = images[start : start + BLOCK].float().reshape(-1, *SHAPE) - self.mean[:, None, None]
            found[start : start + BLOCK] = F.conv2d(centred, self.kernel, padding=SIZE // 2).flatten(1)
        return found


def local_whitening(images: Tensor, gain: float, seed: int) -> LocalWhitening:
    """Fitted to patches of images, (cases, 3072); white values are multiplied by `gain`."""
    drawn = patches(as_planes(images), SIZE, FITTED_ON, seed=seed)
    _, whitening = whiten(drawn)
    matrix = (whitening.directions / whitening.scale) @ whitening.directions.T  # symmetric: (pixel, white pixel)
    of_middle = matrix.reshape(COLOURS, SIZE**2, COLOURS, SIZE**2)[..., SIZE**2 // 2]  # (colour, place, white colour)
    kernel = of_middle.permute(2, 0, 1).reshape(COLOURS, COLOURS, SIZE, SIZE)
    return LocalWhitening(whitening.mean.reshape(COLOURS, -1).mean(1).float(), gain * kernel.float())


def as_planes(images: Tensor) -> Tensor:
    """(cases, 3072) -> (cases, 3, 32, 32)."""
    return images.reshape(-1, *SHAPE)

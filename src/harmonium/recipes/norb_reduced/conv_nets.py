"""Two small convolutional nets that learn from labels alone: that of LeCun, Huang & Bottou, and rectify, normalise and pool."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.data.norb import NAMES
from harmonium.recipes.shared.random_weights import begun

MAPS = (8, 24, 100)  # of LeCun, Huang & Bottou's three convolutional layers
SIDE, KERNEL, POOL = 32, 5, 2
WINDOW = 7  # pixels of a side of the neighbourhood that normalises
FLOOR = 1e-3  # of the deviation that is divided by


def lenet(seed: int) -> nn.Sequential:
    """Three convolutional layers and two of subsampling, the last seeing each whole image once.

    The maps are those of the net for small NORB of 96 x 96 pixels; kernels and pools are those of LeNet-5, whose images are 32 x 32.
    """
    first, second, third = MAPS
    return begun(
        nn.Sequential(
            nn.Unflatten(1, (1, SIDE, SIDE)),
            nn.Conv2d(1, first, KERNEL),
            nn.Tanh(),
            nn.AvgPool2d(POOL),
            nn.Conv2d(first, second, KERNEL),
            nn.Tanh(),
            nn.AvgPool2d(POOL),
            nn.Conv2d(second, third, KERNEL),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(third, len(NAMES)),
        ),
        seed,
    )


def rectify_normalise_pool(seed: int) -> nn.Sequential:
    """Two stages of filters, |tanh|, local contrast normalisation and average pooling, and a linear layer (Jarrett et al. 2009)."""
    first, second, _ = MAPS
    left = ((SIDE - KERNEL + 1) // POOL - KERNEL + 1) // POOL
    return begun(
        nn.Sequential(
            nn.Unflatten(1, (1, SIDE, SIDE)),
            *stage(1, first),
            *stage(first, second),
            nn.Flatten(),
            nn.Linear(second * left**2, len(NAMES)),
        ),
        seed,
    )


def stage(maps: int, filters: int) -> list[nn.Module]:
    """Filters of so many maps, and what is done to what they find.

    Parameters
    ----------
    maps, filters
        Of the images, (cases, maps, height, width), and of what comes out.
    """
    return [nn.Conv2d(maps, filters, KERNEL), nn.Tanh(), Rectified(), Normalised(), nn.AvgPool2d(POOL)]


class Rectified(nn.Module):
    """|x|."""

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class Normalised(nn.Module):
    """Local contrast normalisation: less a weighted mean of the neighbourhood over all maps, divided by its deviation where that is large.

    v = x - Σ w x and y = v / max(c, σ) with σ² = Σ w v², where the sums go over all maps and the Gaussian weights w of a square window sum
    to 1, and c is the mean of σ over the image (Jarrett, Kavukcuoglu, Ranzato & LeCun, ICCV 2009). At the edges only places in the image
    count.
    """

    def __init__(self) -> None:
        super().__init__()
        places = torch.arange(WINDOW, dtype=torch.float32) - WINDOW // 2
        bell = torch.exp(-0.5 * (places / (WINDOW / 4)).square())
        self.register_buffer("window", bell[:, None] * bell / bell.sum().square(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        v = x - self.mean(x)
        deviation = self.mean(v.square()).clamp_min(FLOOR**2).sqrt()
        return v / torch.maximum(deviation, deviation.mean((2, 3), keepdim=True))

    def mean(self, x: Tensor) -> Tensor:
        """(cases, maps, height, width) -> (cases, 1, height, width)."""
        window = self.get_buffer("window").expand(1, 1, -1, -1)
        total, covered = (F.conv2d(each, window, padding=WINDOW // 2) for each in (x.mean(1, keepdim=True), torch.ones_like(x[:1, :1])))
        return total / covered

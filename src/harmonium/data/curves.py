"""Images of curves that are fixed by three points, made by a generator: six numbers describe an image exactly."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.tables import as_tensor

SIDE = 28
MARGIN = 3.0  # pixels between the points and the border
PIECES = 32  # straight pieces that stand for a curve: none is further from it than a thirtieth of a pixel
BLOCK = 5  # images drawn at once, so few that all distances stay in the cache


class Curves(NamedTuple):
    """Images of curves, and the points that they were drawn from.

    Parameters
    ----------
    train_images, test_images : torch.Tensor
        (cases, 784) uint8, grey from 0 (ground) to 255 (ink), each image row by row.
    train_points, test_points : torch.Tensor
        (cases, 3, 2), the column and the row of each point, in pixels; the middle of the first pixel is (0, 0).

    Examples
    --------
    >>> import harmonium as hm
    >>> curves = hm.data.curves.load(train=20, test=10)
    >>> curves.train_images.shape, curves.test_points.shape
    (torch.Size([20, 784]), torch.Size([10, 3, 2]))
    """

    train_images: Tensor
    train_points: Tensor
    test_images: Tensor
    test_points: Tensor


def load(train: int = 20_000, test: int = 10_000, *, width: float = 1.0, seed: int = 0) -> Curves:
    """Draws images of 28 x 28 pixels, each of one curve that three random points fix.

    The points are uniform in the image, 3 pixels from its border. The curve is the quadratic Bézier curve that begins at the first, ends
    at the third, and is drawn towards the second: it stays inside the image. A pixel is ink if the curve passes within half of `width`,
    and grey at the edge of the stroke.

    Parameters
    ----------
    train, test : int
        The numbers of images.
    width : float
        The width of the stroke, in pixels.
    seed : int
        The seed of all draws. Test images do not depend on the number of training images.

    Returns
    -------
    Curves
        The images and their points.

    Raises
    ------
    ValueError
        For fewer than one image of either kind, and a width that is not positive.

    Notes
    -----
    Hinton & Salakhutdinov (2006), doi:10.1126/science.1127647, used 20,000 and 10,000 images "of curves that were generated from three
    randomly chosen points in two dimensions", without saying how curve and stroke were drawn. At the default width PCA with 18 numbers
    has nearly its published squared error, 6.3 here and 5.90 there. So figures of these images compare models with each other, and with
    those published only roughly.

    Examples
    --------
    >>> import harmonium as hm
    >>> images = hm.data.curves.load(train=1, test=1).train_images.reshape(-1, 28, 28)
    >>> int(images.max()) > 200
    True
    """
    if train < 1 or test < 1:
        raise ValueError(f"expected at least one image to learn from and one to be judged on, found train={train} and test={test}")
    if not width > 0:
        raise ValueError(f"the width of a stroke is a positive number of pixels, found {width}")
    found = []
    for part, count in enumerate((train, test)):
        points = np.random.default_rng([seed, part]).uniform(MARGIN, SIDE - 1 - MARGIN, size=(count, 3, 2)).astype(np.float32)
        found += [draw(torch.from_numpy(points), width), torch.from_numpy(points)]
    return Curves(*found)


def turned(images: Any) -> Tensor:
    """The eight images that each becomes by quarter turns and mirrors: curves that `load` draws just as often.

    Parameters
    ----------
    images : Tensor or array
        (cases, 784), of any type.

    Returns
    -------
    Tensor
        (8 · cases, 784): first the images themselves, then all of them turned by a quarter, and so on; at last the mirrored ones.

    Raises
    ------
    ValueError
        For images of another size.

    Examples
    --------
    >>> import harmonium as hm
    >>> images = hm.data.curves.load(train=3, test=1).train_images
    >>> hm.data.curves.turned(images).shape
    torch.Size([24, 784])
    """
    images = as_tensor(images)
    if images.dim() != 2 or images.shape[1] != SIDE**2:
        raise ValueError(f"images of curves are (cases, {SIDE**2}), found shape {tuple(images.shape)}")
    square = images.reshape(-1, SIDE, SIDE)
    return torch.cat([each.rot90(quarter, (1, 2)) for each in (square, square.flip(2)) for quarter in range(4)]).flatten(1)


def draw(points: Tensor, width: float) -> Tensor:
    """Images of the curves of these points, (cases, 3, 2): (cases, 784) uint8."""
    t = torch.linspace(0, 1, PIECES + 1)[:, None]
    weights = torch.cat([(1 - t) ** 2, 2 * t * (1 - t), t**2], dim=1)  # (pieces + 1, 3)
    grid, images = torch.arange(SIDE, dtype=torch.float32), []
    for few in torch.split(points, BLOCK):
        ends = (weights @ few)[..., None]  # (cases, pieces + 1, 2, 1)
        along = ends[:, 1:] - ends[:, :-1]
        beside = grid - ends[:, :-1]  # (cases, pieces, 2, side)
        share = along / along.square().sum(2, keepdim=True).clamp_min(1e-12)
        columns, rows = beside.unbind(2)
        slope, step = share * beside, along * beside
        near = (slope[:, :, 1, :, None] + slope[:, :, 0, None, :]).clamp_(0, 1)  # where on its piece each pixel's nearest place is
        product = step[:, :, 1, :, None] + step[:, :, 0, None, :]
        length = along.square().sum(2)[..., None]
        squares = rows.square()[..., :, None] + columns.square()[..., None, :] - near * (2 * product - near * length)
        distance = squares.amin(1).clamp_min_(0).sqrt_()
        images.append((255 * (width / 2 + 0.5 - distance).clamp(0, 1)).round().to(torch.uint8).flatten(1))
    return torch.cat(images)

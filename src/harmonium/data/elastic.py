"""Elastic distortions: new images whose pixels are moved by a smooth random field (Simard, Steinkraus & Platt 2003)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.moving_images import MovingImages
from harmonium.data.tables import as_tensor
from harmonium.data.warp import resampled
from harmonium.units.uniform import uniform

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Distorted(MovingImages):
    """Images that are distorted anew each time that rows are requested: a source for `hm.fit`. The images are held, not copied.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray
        (cases, pixels), each image row by row; uint8 grey from 0 to 255, or floating-point values. Outside an image is 0.
    alpha, sigma, shape
        As for `elastic`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> source = hm.data.Distorted(digits.train_images, alpha=8.0, sigma=2.0, shape=(8, 8))
    >>> rbm = hm.RBM(hm.Bernoulli(64, values="probabilities"), hm.Bernoulli(20))
    >>> state = hm.fit(rbm, source, epochs=1, progress=False)
    """

    def __init__(self, images: Any, *, alpha: float = 34.0, sigma: float = 4.0, shape: tuple[int, int] = (28, 28)) -> None:
        super().__init__(_checked(images, alpha, sigma, shape), shape)
        self.alpha, self.sigma = alpha, sigma

    def moved(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return _moved(images, self.alpha, self.sigma, generator)


def elastic(
    images: Any,
    *,
    alpha: float = 34.0,
    sigma: float = 4.0,
    shape: tuple[int, int] = (28, 28),
    seed: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Distorts each image elastically, by a field of its own.

    Every pixel looks for its value at a place that is moved by (u, v), between pixels by bilinear interpolation. u and v are two fields of
    independent numbers, uniform from -1 to 1, smoothed by a Gaussian and multiplied by `alpha`. A displacement has the standard deviation
    α / (2σ √(3π)) in each direction, 1.38 pixels by default, and those of pixels d apart correlate by exp(-d² / 4σ²). The fields are
    periodic, so that pixels at the edges move as far as others.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray
        (cases, pixels), each image row by row; uint8 grey from 0 to 255, or floating-point values. Outside an image is 0, the ground.
    alpha : float, default 34
        The strength α. At 0 images stay as they are.
    sigma : float, default 4
        The standard deviation σ of the Gaussian, in pixels. The greater, the more alike neighbouring pixels move.
    shape : tuple of int, default (28, 28)
        (height, width) of an image.
    seed : int, default 0
        Seed of the draws.
    generator : torch.Generator, optional
        The source of the draws, instead of `seed`. The distortion is made on its device.

    Returns
    -------
    torch.Tensor
        New images of the same shape and type.

    Raises
    ------
    TypeError
        For images that are no tensor or array of numbers, or are booleans: between black and white are grey levels.
    ValueError
        For images of another shape, for values that are not finite, and for a negative `alpha` or a `sigma` that is not positive.

    See Also
    --------
    Distorted : A source of rows that are distorted anew at each visit.

    Notes
    -----
    Simard, Steinkraus & Platt, "Best practices for convolutional neural networks applied to visual document analysis", ICDAR 2003,
    doi:10.1109/ICDAR.2003.1227801, whose σ = 4 and α = 34 are the defaults.

    Examples
    --------
    >>> import harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> distorted = hm.data.elastic(digits.train_images, alpha=8.0, sigma=2.0, shape=(8, 8), seed=1)
    >>> distorted.shape, distorted.dtype
    (torch.Size([1497, 64]), torch.uint8)
    """
    held = _checked(images, alpha, sigma, shape)
    source = torch.Generator(held.device).manual_seed(seed) if generator is None else generator
    if alpha == 0:
        return held.clone()
    found = torch.empty_like(held)
    for start in range(0, len(held), BLOCK):
        some = held[start : start + BLOCK]
        kind = some.dtype if some.dtype == torch.float64 else torch.float32
        moved = _moved(some.to(source.device, kind).reshape(-1, *shape), alpha, sigma, source).flatten(1)
        found[start : start + BLOCK] = (moved.round_() if held.dtype == torch.uint8 else moved).to(held)
    return found


def displacements(like: Tensor, alpha: float, sigma: float, generator: torch.Generator) -> Tensor:
    """By how many pixels each pixel's place is moved, down and across: (2, cases, height, width). `like`: (cases, height, width)."""
    height, width = like.shape[-2:]
    field = 2 * uniform((2, *like.shape), like, generator) - 1
    down, across = (_smoother(length, sigma).to(like) for length in (height, width))
    return alpha * (down @ field @ across.T)


def _moved(images: Tensor, alpha: float, sigma: float, generator: torch.Generator) -> Tensor:
    """(cases, height, width) floating point."""
    down, across = displacements(images, alpha, sigma, generator)
    rows, columns = (torch.arange(length, device=images.device, dtype=images.dtype) for length in images.shape[-2:])
    return resampled(images, rows.unsqueeze(1) + down, columns + across)


@lru_cache(maxsize=16)
def _smoother(length: int, sigma: float) -> Tensor:
    """The matrix that smooths a periodic row of so many pixels by a Gaussian: (length, length) float64, with sums of 1."""
    from scipy.ndimage import gaussian_filter1d  # here, so that importing the package does not wait for SciPy

    return torch.from_numpy(gaussian_filter1d(np.eye(length), sigma, axis=0, mode="wrap"))


def _checked(images: Any, alpha: float, sigma: float, shape: tuple[int, int]) -> Tensor:
    held = as_tensor(images).detach()
    if held.dtype != torch.uint8 and held.dtype not in _FLOATS:
        raise TypeError(
            f"images to distort are uint8 grey levels or floating-point values, which have values between them, not {held.dtype}"
        )
    if len(shape) != 2 or min(shape) < 1 or held.dim() != 2 or held.shape[1] != shape[0] * shape[1] or not len(held):
        raise ValueError(
            f"images of shape {tuple(shape)} are (cases, height x width), at least one case, found {tuple(held.shape)}; "
            "shape= says what an image's height and width are"
        )
    if not (0 <= alpha < float("inf") and 0 < sigma < float("inf")):
        raise ValueError(f"expected alpha of at least 0 and sigma above 0, both finite, found {alpha=} and {sigma=}")
    if held.is_floating_point() and not bool(torch.isfinite(held).all()):
        raise ValueError("images to distort must be finite, found NaN or infinite values")
    return held

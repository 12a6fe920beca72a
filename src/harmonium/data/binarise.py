"""Grey images for binary units: how a grey level becomes 0 or 1 is declared, never guessed."""

from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from harmonium.units.uniform import uniform

Images = torch.Tensor | NDArray[Any]

_BLOCK = 2**20  # values worked on at a time: the random numbers of all of MNIST would take 190 MB
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Resampled:
    """Images whose binary values are drawn anew each time that rows are asked for; the images are held, not copied."""

    def __init__(self, images: torch.Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole: (cases, pixels), or (cases, ...) as the images were given."""
        return tuple(self._images.shape)

    def rows(self, indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A fresh sample of some cases: each value is 1 with the probability that its grey level states.

        Args:
            indices: (rows,) int64.
            generator: the source of the draw; the sample is made on its device.

        Returns:
            (rows, pixels) float32, each 0 or 1.
        """
        images = self._images[indices.to(self._images.device)].to(generator.device)
        probabilities = images.float() / 255 if images.dtype == torch.uint8 else images.float()
        return (uniform(tuple(probabilities.shape), probabilities, generator) < probabilities).float()


@overload
def binarise(images: Images, how: Literal["resampled"], *, seed: int = 0, threshold: float = 0.5) -> Resampled: ...


@overload
def binarise(images: Images, how: Literal["fixed", "threshold"], *, seed: int = 0, threshold: float = 0.5) -> torch.Tensor: ...


def binarise(
    images: Images, how: Literal["resampled", "fixed", "threshold"], *, seed: int = 0, threshold: float = 0.5
) -> torch.Tensor | Resampled:
    """Binary images from grey ones.

    - "resampled": each value is a coin with the probability p of its grey level, tossed anew whenever it is used.
    - "fixed": tossed once, `numpy.random.default_rng(seed).random(shape, dtype=float32) < p`. Seed 30 makes of MNIST's
      test images the fixed stochastic test set on which this project's likelihoods are stated.
    - "threshold": 1 where p > `threshold`.

    Args:
        images: (cases, ...) uint8 grey from 0 to 255, p = grey / 255; or floating-point probabilities p from 0 to 1. A
            tensor or an array; an array that PyTorch cannot share (read-only, strided, foreign byte order) is copied.
        how: which of the three.
        seed: of "fixed".
        threshold: of "threshold", at least 0 and below 1.

    Returns:
        A bool tensor (so that it is never taken for grey levels), shaped as the images and on their device; for "resampled" a `Resampled`.

    Raises:
        TypeError: the images are neither a tensor nor an array.
        ValueError: the images have no cases, another dtype, NaN or values out of range; or `how` or `threshold` is not
            one of those above.

    Source: R. Salakhutdinov & I. Murray, "On the quantitative analysis of deep belief networks", ICML 2008 (stochastic
    binarisation of MNIST by its grey levels).
    """
    if how not in ("resampled", "fixed", "threshold"):
        raise ValueError(f"how to binarise must be 'resampled', 'fixed' or 'threshold', not {how!r}")
    if not 0 <= threshold < 1:
        raise ValueError(f"the threshold is a probability, expected at least 0 and below 1, found {threshold}")
    held = _checked(images)
    if how == "resampled":
        return Resampled(held)
    generator = np.random.default_rng(seed)
    result = torch.empty(held.shape, dtype=torch.bool, device=held.device)
    step = max(1, _BLOCK // held[0].numel())
    for start in range(0, len(held), step):
        rows = held[start : start + step]
        p = rows.double() / 255 if rows.dtype == torch.uint8 else rows
        if how == "fixed":
            # Blocks go on with one stream of 32-bit numbers, half-used 64-bit words included, as a single call would.
            drawn = torch.from_numpy(generator.random(tuple(rows.shape), dtype=np.float32)).to(held.device)
            result[start : start + step] = drawn < p
        else:
            result[start : start + step] = p > threshold
    return result


def _checked(images: Images) -> torch.Tensor:
    if isinstance(images, np.ndarray):
        if images.dtype.newbyteorder("=") not in ("u1", "f2", "f4", "f8"):
            raise _wrong_dtype(images.dtype)
        held = torch.from_numpy(np.require(images, images.dtype.newbyteorder("="), ["C", "W"]))
    elif isinstance(images, torch.Tensor):
        held = images.detach()
        if held.dtype not in (torch.uint8, *_FLOATS):
            raise _wrong_dtype(held.dtype)
    else:
        raise TypeError(f"images to binarise must be a tensor or a NumPy array, not {type(images).__name__}")
    if held.ndim < 2 or not held.numel():
        raise ValueError(f"images to binarise must have shape (cases, ...) with at least one value, not {tuple(held.shape)}")
    if held.dtype != torch.uint8:
        low, high = (value.item() for value in held.aminmax())  # NaN if any value is
        if not (low >= 0 and high <= 1):
            raise ValueError(f"floating-point images to binarise must be probabilities from 0 to 1, found {low:g} to {high:g}")
    return held


def _wrong_dtype(dtype: object) -> ValueError:
    return ValueError(f"images to binarise must be uint8 grey from 0 to 255 or floating-point probabilities, not {dtype}")

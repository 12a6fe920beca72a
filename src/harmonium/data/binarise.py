"""Binary images from grey ones: the user declares how a grey level becomes 0 or 1; it is never guessed."""

from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from harmonium.units.uniform import uniform

Images = torch.Tensor | NDArray[Any]

_BLOCK = 2**20  # values per block: the random numbers of all of MNIST would take 190 MB
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Resampled:
    """Images whose binary values are drawn anew each time that rows are requested. The images are held, not copied.

    Parameters
    ----------
    images : torch.Tensor
        (cases, ...) uint8 grey from 0 to 255, or floating-point probabilities from 0 to 1.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> images = torch.tensor([[0, 128, 255]], dtype=torch.uint8)
    >>> source = hm.data.Resampled(images)  # or hm.data.binarise(images, "resampled")
    >>> rows = source.rows(torch.zeros(1000, dtype=torch.long), torch.Generator().manual_seed(0))
    >>> rows.mean(0)[[0, 2]]
    tensor([0., 1.])
    """

    def __init__(self, images: torch.Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all images: (cases, pixels), or (cases, ...) as they were given."""
        return tuple(self._images.shape)

    def rows(self, indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A fresh sample of some cases: each value is 1 with the probability that its grey level states.

        Parameters
        ----------
        indices : torch.Tensor
            (rows,) int64.
        generator : torch.Generator
            The source of the draw; the sample is made on its device.

        Returns
        -------
        torch.Tensor
            (rows, pixels) float32, each 0 or 1.
        """
        images = self._images.index_select(0, indices.to(self._images.device)).to(generator.device)
        probabilities = images.float().div_(255) if images.dtype == torch.uint8 else images.float()
        drawn = uniform(tuple(probabilities.shape), probabilities, generator)
        return torch.lt(drawn, probabilities, out=drawn)


@overload
def binarise(images: Images, how: Literal["resampled"], *, seed: int = 0, threshold: float = 0.5) -> Resampled: ...


@overload
def binarise(images: Images, how: Literal["fixed", "threshold"], *, seed: int = 0, threshold: float = 0.5) -> torch.Tensor: ...


def binarise(
    images: Images, how: Literal["resampled", "fixed", "threshold"], *, seed: int = 0, threshold: float = 0.5
) -> torch.Tensor | Resampled:
    """Makes binary images from grey ones.

    Parameters
    ----------
    images : torch.Tensor or numpy.ndarray
        (cases, ...) uint8 grey from 0 to 255, with p = grey / 255; or floating-point probabilities p from 0 to 1. An array that PyTorch
        cannot share (read-only, strided, foreign byte order) is copied.
    how : {"resampled", "fixed", "threshold"}
        "resampled": each value is 1 with probability p, drawn anew at each use. "fixed": drawn once, as
        `numpy.random.default_rng(seed).random(shape, dtype=float32) < p`. "threshold": 1 where p > `threshold`.
    seed : int
        The seed of "fixed". Seed 30 makes from MNIST's test images the fixed stochastic test set for which this project states likelihoods.
    threshold : float
        The threshold of "threshold", at least 0 and below 1.

    Returns
    -------
    torch.Tensor or Resampled
        A bool tensor, so that it is never taken for grey levels, with the shape and device of the images; for "resampled" a `Resampled`.

    Raises
    ------
    TypeError
        For images that are neither a tensor nor an array.
    ValueError
        For images without cases, of another dtype, with NaN or with values out of range; and for another `how` or `threshold`.

    Notes
    -----
    Stochastic binarisation of MNIST by its grey levels: Salakhutdinov & Murray, "On the quantitative analysis of deep belief networks",
    ICML 2008, doi:10.1145/1390156.1390266.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> images = torch.tensor([[0, 100, 200, 255]], dtype=torch.uint8)
    >>> hm.data.binarise(images, "threshold")
    tensor([[False, False,  True,  True]])
    >>> len(hm.data.binarise(images, "resampled"))
    1
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
            # Blocks continue one stream of 32-bit numbers, half-used 64-bit words included, as a single call would.
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

"""Real-valued inputs of mean zero, divided by one number or each by its own; and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.tables import as_tensor

Mean = Literal["pixel", "image"]
Deviation = Literal["average", "each"]


@dataclass(frozen=True, eq=False)
class Standardising:
    """A shift and a scale, fitted by `standardise`. Called with rows, (cases, *shape), it returns them standardised, as float32.

    Parameters
    ----------
    mean : Tensor or None
        (*shape), float64, what is taken off each case; None where each case loses a mean of its own.
    deviation : float or Tensor
        What all values are divided by; or (*shape), float64, what each input is divided by.
    """

    mean: Tensor | None
    deviation: float | Tensor

    def __call__(self, rows: Any) -> Tensor:
        """Standardise rows, (cases, *shape)."""
        data = as_tensor(rows)
        if self.mean is not None and data.shape[1:] != self.mean.shape:
            raise ValueError(f"expected rows of shape (cases, {', '.join(map(str, self.mean.shape))}), found {tuple(data.shape)}")
        found = torch.empty(data.shape, dtype=torch.float32, device=data.device)
        deviation = self._deviation(data)
        for start in range(0, len(data), BLOCK):
            found[start : start + BLOCK] = _centred(data[start : start + BLOCK], self.mean) / deviation
        return found

    def inverse(self, rows: Tensor) -> Tensor:
        """The data of which these are the standardised ones, (..., *shape) float32. ValueError where each case lost a mean of its own."""
        if self.mean is None:
            raise ValueError("each case lost a mean of its own, which is not kept: there is no way back")
        return (rows.double() * self._deviation(rows) + self.mean.to(rows.device)).float()

    def _deviation(self, beside: Tensor) -> float | Tensor:
        return self.deviation.to(beside.device) if isinstance(self.deviation, Tensor) else self.deviation


@torch.no_grad()
def standardise(data: Any, mean: Mean = "pixel", deviation: Deviation = "average") -> Standardising:
    """Fit a shift to mean zero, and a scale by which the average standard deviation of the inputs is one, or that of each of them.

    Nair & Hinton (2010) give images this form for visible units of variance one: "zero mean", divided by the average standard deviation of
    all pixels over the training images. The paper does not say whether the mean is that of a pixel or that of an image.

    Parameters
    ----------
    data : Tensor or array
        (cases, *shape), what to learn from. Bytes are numbers from 0 to 255.
    mean : {"pixel", "image"}
        "pixel" takes the mean of each input off; "image" takes each case's own mean off it, and with it the case's brightness.
    deviation : {"average", "each"}
        "average" divides all inputs by one number, as images are; "each" divides each by its own standard deviation, as features of
        different kinds are, such as those of speech.

    Returns
    -------
    Standardising
        Call it with these data, or others.

    Raises
    ------
    ValueError
        For another word, for no case, for values that are not finite, and for data that are constant; with "each", for an input that is.

    Notes
    -----
    Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    Examples
    --------
    >>> import harmonium as hm
    >>> digits = hm.data.digits.load()
    >>> standard = hm.data.standardise(digits.train_images)
    >>> images = standard(digits.train_images)
    >>> round(images.std(0, correction=0).mean().item(), 4)
    1.0
    """
    data = as_tensor(data)
    if mean not in ("pixel", "image"):
        raise ValueError(f'the mean is that of each "pixel" or that of each "image", found {mean!r}')
    if deviation not in ("average", "each"):
        raise ValueError(f'the deviation is the "average" of the inputs\' or that of "each", found {deviation!r}')
    if data.dim() < 2 or not data.numel():
        raise ValueError(f"expected data of shape (cases, ...), at least one case, found {tuple(data.shape)}")
    if data.is_floating_point() and not bool(torch.isfinite(data).all()):
        raise ValueError("data to standardise must be finite, found NaN or infinite values")
    blocks, count = torch.split(data, BLOCK), len(data)
    of_pixels = torch.stack([rows.double().sum(0) for rows in blocks]).sum(0) / count
    shift = of_pixels if mean == "pixel" else None
    first = torch.stack([_centred(rows, shift).sum(0) for rows in blocks]).sum(0) / count
    second = torch.stack([(_centred(rows, shift) - first).square().sum(0) for rows in blocks]).sum(0) / count
    of_each = second.sqrt()
    scale = of_each if deviation == "each" else of_each.mean()
    if not bool((scale > 0).all()):
        which = f" of input {int((of_each == 0).flatten().nonzero()[0])}" if deviation == "each" else ""
        raise ValueError(f"data to standardise must vary, found the same values{which} in each case")
    return Standardising(shift, scale if deviation == "each" else scale.item())


def _centred(rows: Tensor, mean: Tensor | None) -> Tensor:
    rows = rows.double()
    return rows - (rows.flatten(1).mean(1).reshape(-1, *[1] * (rows.dim() - 1)) if mean is None else mean.to(rows.device))

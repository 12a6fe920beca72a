"""Whitening of data, and its inverse."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.tables import as_tensor
from harmonium.files import read_tensors, write_tensors

Kind = Literal["zca", "pca"]
KINDS = ("zca", "pca")
FLAT = 1e-12  # a variance below this share of the largest one is rounding


@dataclass(frozen=True, eq=False)
class Whitening:
    """A linear map to uncorrelated data of unit variance, and back. `whiten` fits one.

    Called with rows, (cases, *shape) of any numeric type, it returns them whitened: (cases, *shape) for "zca", (cases, components) for
    "pca". Products are computed in float64, and results have the type of the rows if that is a floating-point type, else float32.

    Parameters
    ----------
    kind : {"zca", "pca"}
        Whether white data are turned back to the axes of the data.
    mean : Tensor
        (*shape), float64, the mean of the data that it was fitted to.
    directions : Tensor
        (features, components), float64, orthonormal: the principal directions of the data, of decreasing variance. The largest entry of
        each is positive.
    scale : Tensor
        (components,), float64, the standard deviation by which each direction is divided.

    Notes
    -----
    With the covariance C = E Λ E', the map is x → (x - mean) E (Λ + ρ)^-1/2 for "pca" and x → (x - mean) E (Λ + ρ)^-1/2 E' for "zca",
    where ρ is the regularisation.

    Weights W, (components, K), of units that see "pca" data are pictures after `directions @ W`: those of the same units on "zca" data.
    """

    kind: Kind
    mean: Tensor
    directions: Tensor
    scale: Tensor

    def __call__(self, rows: Any) -> Tensor:
        """Whiten rows, (cases, *shape). Raises ValueError for another shape, and for values that are not finite."""
        return self._in_blocks(rows, tuple(self.mean.shape), self.shape, self._forward)

    def inverse(self, white: Any) -> Tensor:
        """The data, (cases, *shape), of which these are the white ones. What lay outside the components is not restored."""
        return self._in_blocks(white, self.shape, tuple(self.mean.shape), self._back)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a white case."""
        return tuple(self.mean.shape) if self.kind == "zca" else (len(self.scale),)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a safetensors file, atomically."""
        tensors = {"mean": self.mean, "directions": self.directions, "scale": self.scale}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, tensors, {"whitening": self.kind})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Whitening:
        """Read a file that `save` wrote. Raises ValueError for another file."""
        tensors, header = read_tensors(path)
        if header.get("whitening") not in KINDS:
            raise ValueError(f"{path} holds no whitening: expected a file that Whitening.save wrote")
        return cls(header["whitening"], tensors["mean"], tensors["directions"], tensors["scale"])

    def _forward(self, flat: Tensor) -> Tensor:
        white = (flat - self.mean.flatten()) @ self.directions / self.scale
        return white @ self.directions.T if self.kind == "zca" else white

    def _back(self, flat: Tensor) -> Tensor:
        components = flat @ self.directions if self.kind == "zca" else flat
        return (components * self.scale) @ self.directions.T + self.mean.flatten()

    def _in_blocks(self, rows: Any, taken: tuple[int, ...], given: tuple[int, ...], change: Any) -> Tensor:
        data = as_tensor(rows)
        if tuple(data.shape[1:]) != taken or data.dim() < 2:
            raise ValueError(f"expected rows of shape (cases, {', '.join(map(str, taken))}), found {tuple(data.shape)}")
        if data.is_floating_point() and not bool(torch.isfinite(data).all()):
            raise ValueError("expected finite values, found NaN or infinite ones: each would spread over its whole case")
        found = torch.empty(len(data), *given, dtype=_type_of(data), device=data.device)
        for start in range(0, len(data), BLOCK):
            block = data[start : start + BLOCK].to(self.mean).flatten(1)
            found[start : start + BLOCK] = change(block).reshape(-1, *given)
        return found


def whiten(rows: Any, *, kind: Kind = "zca", components: int | None = None, regularisation: float = 0.1) -> tuple[Tensor, Whitening]:
    """Remove the correlations between the values of a case, and give each unit variance.

    Fit it to training data, and apply the `Whitening` to all others.

    Parameters
    ----------
    rows : Tensor or array
        Cases, (cases, *shape) of any numeric type, at least two: vectors, or images with or without an axis of colours.
    kind : {"zca", "pca"}, default "zca"
        "zca" changes the data as little as white data can be changed, so that white images still look like images. "pca" leaves the white
        data in principal components, of decreasing variance.
    components : int, optional
        Keep only the directions with the largest variance; by default all.
    regularisation : float, default 0.1
        This multiple of the mean variance is added to the variance of each direction. It keeps noise from being amplified in the faintest
        directions. 0 whitens exactly.

    Returns
    -------
    white : Tensor
        The white data, (cases, *shape) for "zca", or (cases, components) for "pca".
    whitening : Whitening
        The map, for other rows, and back.

    Raises
    ------
    ValueError
        For values that are not finite, another `kind`, a number of components that the data do not have, and a regularisation of 0 where
        the data do not vary in each kept direction.

    Notes
    -----
    Bell & Sejnowski (1997), doi:10.1016/S0042-6989(97)00121-1. Variances are divided by the number of cases. With a regularisation of 0 and
    `kind="pca"` the white data are those of scikit-learn's `PCA(whiten=True)`, but for signs and its division by one case less.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rows = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor([[5.0, 1.0], [0.0, 0.3]])
    >>> white, whitening = hm.data.whiten(rows, regularisation=0.0)
    >>> torch.allclose(white.T @ white / 1000, torch.eye(2), atol=1e-4)
    True
    >>> torch.allclose(whitening.inverse(white), rows, atol=1e-4)
    True
    """
    data = as_tensor(rows)
    _check(data, kind, components, regularisation)
    features = data[0].numel()
    mean = sum((block.double().sum(0) for block in torch.split(data, BLOCK)), data.new_zeros((), dtype=torch.float64)) / len(data)
    few = components is not None and components < len(data) < features
    variances, directions = _of_few(data, mean) if few else _of_many(data, mean)
    if few and not float(variances[components]) > FLAT * float(variances[0]):  # some kept direction may be any
        variances, directions = _of_many(data, mean)
    raised = variances.clamp_min(0) + regularisation * variances.sum() / features
    raised, directions = raised[:components], directions[:, :components]
    if not float(raised[-1]) > FLAT * float(variances[0]):
        kept = int((variances > FLAT * variances[0]).sum())
        raise ValueError(
            f"the data vary in only {kept} of {len(raised)} directions, so no matrix whitens them: give a regularisation above 0, or "
            f"components={max(kept, 1)} at most"
        )
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    whitening = Whitening(kind, mean, (directions * largest.sign()).contiguous(), raised.sqrt())
    return whitening(data), whitening


def _of_many(data: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """The variances of all directions, from the largest, and the directions, (features, features)."""
    features = data[0].numel()
    covariance = torch.zeros(features, features, dtype=torch.float64, device=data.device)
    for block in torch.split(data, BLOCK):
        centred = (block.double() - mean).flatten(1)
        covariance.addmm_(centred.T, centred, alpha=1 / len(data))
    variances, directions = torch.linalg.eigh(covariance)
    return variances.flip(-1), directions.flip(-1)


def _of_few(data: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """The same of fewer cases than features, from the products of cases, which do not vary in any other direction."""
    centred = (data.double() - mean).flatten(1) / len(data) ** 0.5
    variances, cases = (found.flip(-1) for found in torch.linalg.eigh(centred @ centred.T))
    return variances, centred.T @ cases / variances.clamp_min(FLAT * variances[0]).sqrt()


def _check(data: Tensor, kind: str, components: int | None, regularisation: float) -> None:
    if kind not in KINDS:
        raise ValueError(f'kind must be "zca" or "pca", found {kind!r}')
    if data.dim() < 2 or len(data) < 2 or not data[0].numel():
        raise ValueError(f"expected rows of shape (cases, ...), at least two cases, found {tuple(data.shape)}")
    if data.is_floating_point() and not bool(torch.isfinite(data).all()):
        raise ValueError("expected finite numbers, found NaN or infinite values: leave those cases out, or fill the gaps first")
    features = data[0].numel()
    if components is not None and not 1 <= components <= features:
        raise ValueError(f"components must be from 1 to {features}, the numbers of a case, found {components}")
    if not 0 <= regularisation < float("inf"):
        raise ValueError(f"regularisation must be a number of at least 0, found {regularisation}")


def _type_of(data: Tensor) -> torch.dtype:
    """The type of results: that of floating-point data, else float32."""
    return data.dtype if data.is_floating_point() else torch.float32

"""NORB: stereo pairs of photographs of fifty toys of five categories (LeCun, Huang & Bottou, CVPR 2004), from its original files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harmonium.data.batches import BLOCK
from harmonium.data.binary_matrix import read_binary_matrix
from harmonium.data.fetch import of_user
from harmonium.data.joined import Joined

NAMES = ("animal", "human figure", "airplane", "truck", "car")
ELEVATIONS, AZIMUTHS, LIGHTINGS = 9, 18, 6
TOYS = {"training": (4, 6, 7, 8, 9), "testing": (0, 1, 2, 3, 5)}  # of each category
OF_A_TOY = ELEVATIONS * AZIMUTHS * LIGHTINGS
SMALL = len(NAMES) * 5 * OF_A_TOY  # pairs of each part of small NORB
OF_A_FILE = 29_160  # pairs, of the jittered and cluttered set
FILES = {"training": 10, "testing": 2}  # of the same
SIDES = {"small": 96, "jittered": 108}
SORTS = ("dat", "cat", "info")  # of files: images, categories, and what is given of each pair
GIVEN = {"small": 4, "jittered": 10}  # numbers that are given of each pair

Kind = Literal["small", "jittered"]


class Pairs(NamedTuple):
    """Stereo pairs and what they show.

    Attributes
    ----------
    images : Joined
        (pairs, 2, side, side) uint8, the cameras' images, left on disk: `images[:100]` reads the first hundred.
    categories : Tensor
        (pairs,) int64, a place in `NAMES`; 5 where there is no object.
    toys : Tensor
        (pairs,) int64, the number of the toy within its category, from 0 to 9.
    elevations, azimuths : Tensor
        (pairs,) float32, the direction of the cameras in degrees: 30 to 70 above the horizon, and 0 to 340 around the toy.
    lightings : Tensor
        (pairs,) int64, from 0 to 5.
    changes : Tensor
        (pairs, 0) of small NORB. (pairs, 6) int64 of the jittered one: shifts across and down, brightness, contrast, scale and rotation, as
        its files have them.
    """

    images: Joined
    categories: Tensor
    toys: Tensor
    elevations: Tensor
    azimuths: Tensor
    lightings: Tensor
    changes: Tensor


class Norb(NamedTuple):
    """The published split: no toy is on both sides.

    Attributes
    ----------
    train, test : Pairs
        Five toys of each category on either side.
    """

    train: Pairs
    test: Pairs


def load(kind: Kind = "small", data_dir: str | Path | None = None) -> Norb:
    """Load NORB from its original files, which its authors give out for research; nothing is downloaded.

    The files are looked for in `data_dir` or else in HARMONIUM_DATA, there or in a folder `norb`, under their original names, which begin
    with `smallnorb-5x46789x9x18x6x2x96x96-training-` or `norb-5x46789x9x18x6x2x108x108-training-01-`. Those of images (`-dat.mat`) are
    mapped, and so are read only where they are used; compressed ones (`.mat.gz`) are read into memory.

    Parameters
    ----------
    kind : {"small", "jittered"}
        The small, uniform set, of 24,300 training and as many test pairs of 96 x 96 pixels; or the jittered and cluttered one, of 291,600
        and 58,320 pairs of 108 x 108, of which a sixth show no object.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Norb
        Its training and test pairs.

    Raises
    ------
    FileNotFoundError
        If files are not on this machine.
    ValueError
        For files that are damaged, that do not fit each other, or that are not what their names say.

    Examples
    --------
    >>> import harmonium as hm
    >>> def middle_of_some(folder):
    ...     pairs = hm.data.norb.load("small", folder).train
    ...     return hm.data.norb.reduced(pairs.images[:100]), pairs.categories[:100]
    >>> hm.data.norb.NAMES
    ('animal', 'human figure', 'airplane', 'truck', 'car')
    """
    if kind not in SIDES:
        raise ValueError(f'NORB has the kinds "small" and "jittered", found {kind!r}')
    train, test = (_pairs(kind, part, data_dir) for part in ("training", "testing"))
    return Norb(train, test)


def stems(kind: Kind, part: str) -> list[str]:
    """What the names of a part's files begin with: small NORB's part is one file of each sort, the jittered one's several."""
    toys = "".join(map(str, TOYS[part]))
    if kind == "small":
        return [f"smallnorb-5x{toys}x9x18x6x2x96x96-{part}"]
    return [f"norb-5x{toys}x9x18x6x2x108x108-{part}-{number:02}" for number in range(1, FILES[part] + 1)]


def reduced(images: Joined | NDArray[Any] | Tensor, camera: int = 0) -> Tensor:
    """The tutorial's simplification of small NORB: one camera, the middle, half the resolution, and how much darker than the background.

    Of one camera's image the middle 64 x 64 pixels are kept, and means of 2 x 2 make 32 x 32 of them. The grey level that most of these
    have is that of the bright background: it becomes 0, and so does what is brighter; darker pixels count by how much they are darker.

    Parameters
    ----------
    images : Joined, numpy.ndarray or Tensor
        (pairs, 2, 96, 96) uint8.
    camera : int, default 0
        0 or 1.

    Returns
    -------
    Tensor
        (pairs, 1024) float32, from 0 to 255.

    Raises
    ------
    ValueError
        For images of another shape, or that are no bytes, and for another camera.

    Notes
    -----
    Hinton, "A tutorial on deep learning" (IPAM 2012), slide "Simplifying the data". The peak is that of each image's own histogram, of grey
    levels rounded to integers.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> pair = torch.full((1, 2, 96, 96), 200, dtype=torch.uint8)
    >>> pair[..., 40:56, 40:56] = 50
    >>> hm.data.norb.reduced(pair).unique().tolist()
    [0.0, 150.0]
    """
    if tuple(images.shape[1:]) != (2, 96, 96) or camera not in (0, 1):
        raise ValueError(f"expected pairs of shape (pairs, 2, 96, 96) and camera 0 or 1, found {tuple(images.shape)} and {camera=}")
    if str(images.dtype).removeprefix("torch.") != "uint8":
        raise ValueError(f"the background's grey level is found among bytes from 0 to 255: expected uint8 images, found {images.dtype}")
    found = [_darkness(rows[:, camera, 16:80, 16:80]) for rows in _blocks(images)]
    return torch.cat(found) if found else torch.empty(0, 1024)


def shrunk(images: Joined | NDArray[Any] | Tensor, side: int = 32) -> Tensor:
    """Images made smaller: each new pixel is the mean over the area that it covers.

    Nair & Hinton (2010) learn from the jittered pairs, 108 x 108, shrunk to 32 x 32. The inputs are then to be standardised: see
    `hm.data.standardise`.

    Parameters
    ----------
    images : Joined, numpy.ndarray or Tensor
        (pairs, cameras, height, width) uint8 or floating point.
    side : int, default 32
        Pixels of the new images, down and across.

    Returns
    -------
    Tensor
        (pairs, cameras, side, side) float32.

    Raises
    ------
    ValueError
        For images of another number of axes, or with fewer pixels than are asked for.

    Examples
    --------
    >>> import torch
    >>> from harmonium.data.norb import shrunk
    >>> shrunk(torch.tensor([[[[0.0, 3.0, 6.0]] * 3]]), side=2).tolist()
    [[[[1.0, 5.0], [1.0, 5.0]]]]
    """
    if len(images.shape) != 4 or not 1 <= side <= min(images.shape[2:]):
        raise ValueError(
            f"expected images of shape (pairs, cameras, height, width), and at most as many pixels as they have, found "
            f"{tuple(images.shape)} and {side=}"
        )
    down, across = (_means(length, side) for length in images.shape[2:])
    found = [down @ rows.float() @ across.T for rows in _blocks(images)]
    return torch.cat(found) if found else torch.empty(0, images.shape[1], side, side)


def _darkness(middle: Tensor) -> Tensor:
    """(pairs, 64, 64) uint8 -> (pairs, 1024)."""
    means = middle.reshape(-1, 32, 2, 32, 2).float().mean((2, 4)).flatten(1)
    levels = torch.zeros(len(means), 256, dtype=torch.int64)
    levels.scatter_add_(1, means.round().long(), torch.ones_like(means, dtype=torch.int64))
    return (levels.argmax(1, keepdim=True) - means).clamp_min(0)


def _means(length: int, side: int) -> Tensor:
    """The matrix that takes means of `side` equal parts of a row of pixels: (side, length)."""
    edges = torch.arange(side + 1, dtype=torch.float64) * (length / side)
    pixels = torch.arange(length, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (covered.clamp_min(0) * (side / length)).float()


def _blocks(images: Joined | NDArray[Any] | Tensor) -> Iterator[Tensor]:
    for start in range(0, len(images), BLOCK):
        rows = images[start : start + BLOCK]
        rows = rows if isinstance(rows, Tensor) else torch.from_numpy(np.array(rows))
        if rows.dtype != torch.uint8 and not rows.is_floating_point():
            raise ValueError(f"expected images of uint8 grey levels or floating-point numbers, found {rows.dtype}")
        yield rows


def _pairs(kind: Kind, part: str, data_dir: str | Path | None) -> Pairs:
    images, categories, given = [], [], []
    for stem in stems(kind, part):
        paths = _located([f"{stem}-{what}.mat" for what in SORTS], data_dir)
        parts = [read_binary_matrix(path) for path in paths]
        pairs = SMALL if kind == "small" else OF_A_FILE
        shapes = (pairs, 2, SIDES[kind], SIDES[kind]), (pairs,), (pairs, GIVEN[kind])
        for path, found, shape, values in zip(paths, parts, shapes, ("uint8", "int32", "int32"), strict=True):
            if found.shape != shape or found.dtype != values:
                raise ValueError(
                    f"{path} is not NORB's: expected {' x '.join(map(str, shape))} {values} values, found "
                    f"{' x '.join(map(str, found.shape))} of {found.dtype}"
                )
        images.append(parts[0])
        categories.append(np.array(parts[1], dtype=np.int64))
        given.append(np.array(parts[2], dtype=np.int64))
    labels, facts = np.concatenate(categories), np.concatenate(given)
    _check(kind, part, labels, facts, Path(data_dir) if data_dir else None)
    toy, elevation, azimuth, lighting, changes = (torch.from_numpy(each.copy()) for each in np.split(facts, (1, 2, 3, 4), axis=1))
    degrees = 30 + 5 * elevation.squeeze(1).float(), 10 * azimuth.squeeze(1).float()
    return Pairs(Joined(images), torch.from_numpy(labels), toy.squeeze(1), *degrees, lighting.squeeze(1), changes)


def _check(kind: Kind, part: str, labels: NDArray[Any], facts: NDArray[Any], folder: Path | None) -> None:
    """Raise a ValueError unless each toy is seen from each side in each light as often as it should be."""
    where = f"NORB's {part} pairs" + ("" if folder is None else f" in {folder}")
    classes = len(NAMES) + (kind == "jittered")
    bounds = ((labels, classes), (facts[:, 1], ELEVATIONS), (facts[:, 2] // 2, AZIMUTHS), (facts[:, 3], LIGHTINGS))
    if any(found.min() < 0 or found.max() >= most for found, most in bounds) or (facts[:, 2] % 2).any():
        raise ValueError(f"{where} are damaged: a category, direction or lighting is none that there is")
    shown = labels < len(NAMES)
    if not np.isin(facts[shown, 0], TOYS[part]).all():
        raise ValueError(f"{where} are of other toys: expected those numbered {TOYS[part]}, found {np.unique(facts[shown, 0]).tolist()}")
    if kind == "small":
        places = np.stack([labels, facts[:, 0], facts[:, 1], facts[:, 2], facts[:, 3]], axis=1)
        if len(np.unique(places, axis=0)) != SMALL:
            raise ValueError(f"{where} are damaged: a toy is twice in the same direction and light")


def _located(names: Sequence[str], data_dir: str | Path | None) -> list[Path]:
    """The files of these names, packed or not."""
    chosen, own = of_user("norb", [f"{name}.gz" for name in names], data_dir)
    missing = [name for name in names if f"{name}.gz" not in own]
    if missing:
        looked = "no folder was named" if chosen is None else f"not found in {chosen} or in its folder norb"
        raise FileNotFoundError(
            f"NORB's file {missing[0]} is not on this machine ({looked}): get the files from their authors and name their folder by "
            "--data-dir, data_dir= or HARMONIUM_DATA"
        )
    return list(own.values())

"""ETH-80: views of eighty toys of eight categories from known directions (Leibe & Schiele, CVPR 2003)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate

FILES = {"eth80_grey_96.npz": "7bdb221b34f195113fa0189fa1bb2a69f890b22b33cfad2446fdf412927d748a"}
CATEGORIES = ("apple", "car", "cow", "cup", "dog", "horse", "pear", "tomato")
TOYS, VIEWS, SIDE = 10, 41, 96
ALL = len(CATEGORIES) * TOYS * VIEWS
SHAPES = {
    "images": (ALL, SIDE, SIDE),
    "masks": (ALL, SIDE, SIDE // 8),
    "category": (ALL,),
    "instance": (ALL,),
    "elevation": (ALL,),
    "azimuth": (ALL,),
    "categories": (len(CATEGORIES),),
}


class Views(NamedTuple):
    """Images of toys, what they show, and from where.

    Attributes
    ----------
    images : Tensor
        (3280, 9216) uint8, grey from 0 to 255, each image of 96 x 96 row by row.
    masks : Tensor
        (3280, 9216) bool, true on the toy.
    categories : Tensor
        (3280,) int64, the toy's category, a place in `names`.
    toys : Tensor
        (3280,) int64, the number of the toy, from 0 to 79: ten of each category, in their order.
    elevations, azimuths : Tensor
        (3280,) float32, the direction of the view in degrees: from above (0) to level (90), and around the toy.
    names : list of str
        The names of the eight categories.
    """

    images: Tensor
    masks: Tensor
    categories: Tensor
    toys: Tensor
    elevations: Tensor
    azimuths: Tensor
    names: list[str]

    def by_toy(self, held_out: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Divides the views so that no toy is on both sides: views of one toy are too much alike to judge by.

        Parameters
        ----------
        held_out : int
            Toys of each category that are held out, from 1 to 9.
        seed : int, default 0
            Seed of the choice.

        Returns
        -------
        kept, held : torch.Tensor
            The numbers of the views, in their order: ((10 - held_out) · 328,) and (held_out · 328,) int64.

        Raises
        ------
        ValueError
            Unless a toy of each category is on either side.
        """
        if not 1 <= held_out < TOYS:
            raise ValueError(f"of the ten toys of a category 1 to {TOYS - 1} can be held out, found held_out={held_out}")
        generator = torch.Generator().manual_seed(seed)
        chosen = [TOYS * place + torch.randperm(TOYS, generator=generator)[:held_out] for place in range(len(self.names))]
        held = torch.isin(self.toys, torch.cat(chosen))
        return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def load(data_dir: str | Path | None = None) -> Views:
    """Loads the 3,280 views: eight categories, ten toys of each, 41 views of each toy, before an even background.

    `eth80_grey_96.npz` is looked for in `data_dir` or else in HARMONIUM_DATA, there or in a folder `eth-80`, then in the cache (see
    `harmonium.data.fetch.locate`). It holds the original's colour images of 256 x 256 as grey ones of 96 x 96 (0.299 R + 0.587 G + 0.114 B,
    the mean of each area), and their silhouettes. No split was published for this size: divide by toy (`Views.by_toy`), not by view.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Views
        The images in the file's order: by category, toy and view.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Notes
    -----
    Leibe & Schiele, "Analyzing appearance and contour based methods for object categorization", CVPR 2003,
    doi:10.1109/CVPR.2003.1211497, who ask to be cited.

    Examples
    --------
    >>> import harmonium as hm
    >>> views = hm.data.eth80.load()
    >>> views.images.shape, views.names[views.categories[0]]
    (torch.Size([3280, 9216]), 'apple')
    >>> kept, held = views.by_toy(held_out=3)
    >>> len(kept), len(held)
    (2296, 984)
    """
    path = locate("eth-80", FILES, (), data_dir)["eth80_grey_96.npz"]
    held = _arrays(path)
    images, masks = held["images"], np.unpackbits(held["masks"], axis=-1)
    category, instance = held["category"].astype(np.int64), held["instance"].astype(np.int64)
    names = [str(name) for name in held["categories"]]
    if tuple(names) != CATEGORIES:
        raise ValueError(f"{path} is another file: expected the categories {', '.join(CATEGORIES)}, found {', '.join(names)}")
    toys = _toys(path, category, instance)
    elevations, azimuths = (torch.from_numpy(held[name].astype(np.float32)) for name in ("elevation", "azimuth"))
    if not all(bool(((each >= 0) & (each <= 360)).all()) for each in (elevations, azimuths)):
        raise ValueError(f"{path} is damaged: expected elevations and azimuths from 0 to 360 degrees")
    grey, on = (torch.from_numpy(each).flatten(1) for each in (images, masks.astype(bool)))
    return Views(grey, on, torch.from_numpy(category), toys, elevations, azimuths, names)


def _arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of the file, each of the expected shape and kind. Raises a ValueError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in SHAPES if name in file.files}
    except Exception as fault:  # NumPy may raise any exception, depending on the bytes
        raise ValueError(f"{path} is not a readable .npz file of numbers and names: {fault}") from fault
    for name, shape in SHAPES.items():
        if name not in held:
            raise ValueError(f"{path} is another file: expected arrays called {', '.join(SHAPES)}, and {name} is not there")
        found, kinds = held[name], "U" if name == "categories" else "iuf" if name in ("elevation", "azimuth") else "iu"
        bytes_only = name in ("images", "masks") and found.dtype != np.uint8
        if found.shape != shape or found.dtype.kind not in kinds or bytes_only:
            raise ValueError(f"{path} is another file: expected {name} of shape {shape}, found {found.shape} of {found.dtype}")
    return held


def _toys(path: Path, category: np.ndarray[Any, Any], instance: np.ndarray[Any, Any]) -> Tensor:
    """The number of each view's toy. Raises a ValueError unless there are ten of each category, with 41 views each."""
    found, toys, counts = np.unique(np.stack([category, instance]), axis=1, return_inverse=True, return_counts=True)
    expected = np.repeat(np.arange(len(CATEGORIES)), TOYS)
    if found.shape[1] != len(expected) or (found[0] != expected).any() or (counts != VIEWS).any():
        raise ValueError(f"{path} is damaged: expected {VIEWS} views of each of {TOYS} toys in each of {len(CATEGORIES)} categories")
    return torch.from_numpy(toys.reshape(-1).astype(np.int64))

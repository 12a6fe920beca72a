"""Labeled Faces in the Wild: the pairs of its test, "View 2" (Huang, Ramesh, Berg & Learned-Miller 2007), and the user's images of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate, of_user
from harmonium.data.text_file import read_text

FILES = {"pairs.txt": "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592"}
FOLDS, OF_EACH = 10, 300  # of the same and of two people in a fold
SIDE = 250  # pixels of an image


class LfwPairs(NamedTuple):
    """The pairs by the names of their images.

    Attributes
    ----------
    names : list of str
        The 7,701 images that are in pairs, such as "Abel_Pacheco/Abel_Pacheco_0001.jpg", in alphabetical order.
    images : Tensor
        (6000, 2) int64, places in `names`.
    same : Tensor
        (6000,) int64, 1 where both show the same person, else 0.
    folds : Tensor
        (6000,) int64, from 0 to 9. No person is in two folds. Each is judged by what was learnt on the other nine.
    """

    names: list[str]
    images: Tensor
    same: Tensor
    folds: Tensor


def load(data_dir: str | Path | None = None) -> LfwPairs:
    """Load the list of pairs: ten folds of 300 pairs of the same and 300 of two people. The images are not in it.

    `pairs.txt` is looked for in `data_dir` or else in HARMONIUM_DATA, there or in a folder `lfw-pairs`, then in the cache (see
    `harmonium.data.fetch.locate`).

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    LfwPairs
        The pairs in the order of the file.

    Raises
    ------
    FileNotFoundError
        If the list is not on this machine.
    ValueError
        For a list that is cut off, or that is another.

    Notes
    -----
    Huang, Ramesh, Berg & Learned-Miller, "Labeled faces in the wild" (University of Massachusetts, Amherst, report 07-49, 2007).

    Examples
    --------
    >>> import harmonium as hm
    >>> def accuracy_percent(says_same, folder):
    ...     pairs = hm.data.lfw_pairs.load(folder)
    ...     right = (says_same == pairs.same).double()
    ...     return [100 * right[pairs.folds == fold].mean().item() for fold in range(10)]
    >>> hm.data.lfw_pairs.FOLDS, hm.data.lfw_pairs.OF_EACH
    (10, 300)
    """
    path = locate("lfw-pairs", FILES, (), data_dir)["pairs.txt"]
    lines = read_text(path).splitlines()
    heading, wanted = f"{FOLDS}\t{OF_EACH}", 1 + 2 * FOLDS * OF_EACH
    if lines[:1] != [heading] or len(lines) != wanted:
        raise ValueError(
            f"{path} is cut off or another file: expected {heading!r} and {wanted - 1} lines of pairs, found {lines[:1]} and "
            f"{len(lines) - 1} lines"
        )
    same = torch.tensor([1, 0]).repeat_interleave(OF_EACH).repeat(FOLDS)
    pairs = [_pair(path, number, line, bool(alike)) for number, (line, alike) in enumerate(zip(lines[1:], same.tolist(), strict=True), 2)]
    names = sorted({name for pair in pairs for name in pair})
    places = {name: place for place, name in enumerate(names)}
    images = torch.tensor([[places[one], places[other]] for one, other in pairs])
    return LfwPairs(names, images, same, torch.arange(FOLDS).repeat_interleave(2 * OF_EACH))


def _pair(path: Path, number: int, line: str, same: bool) -> tuple[str, str]:
    """The files of the two images of a line: "NAME, one, other" of one person, "NAME, one, OTHER NAME, other" of two."""
    parts = line.split("\t")
    words = [*parts[:2], parts[0], *parts[2:]] if same else parts
    images = [(name, int(place)) for name, place in zip(words[::2], words[1::2], strict=False) if place.isascii() and place.isdecimal()]
    if len(words) != 4 or len(set(images)) != 2 or (words[0] == words[2]) != same:
        expected = "a name and two numbers" if same else "two names, each with its number"
        raise ValueError(f"{path} is damaged: expected {expected}, apart by tabs, in line {number}, found {line!r}")
    one, other = (f"{name}/{name}_{place:04}.jpg" for name, place in images)
    return one, other


def read_images(names: Sequence[str], data_dir: str | Path | None = None, *, middle: int = 144, side: int = 32) -> Tensor:
    """Read images of LFW from the user's folder `lfw`: the middle of each, made smaller.

    No licence for the photographs is granted, so nothing is downloaded. They are looked for in the folder `lfw` of `data_dir` or else of
    HARMONIUM_DATA, as `lfw/NAME/NAME_0001.jpg`.

    Parameters
    ----------
    names : sequence of str
        As `LfwPairs.names` has them.
    data_dir : str or pathlib.Path, optional
        The user's own folder.
    middle : int, default 144
        Pixels of the square in the middle of an image, of 250, that is kept.
    side : int, default 32
        Pixels, down and across, to which it is made smaller. Each is the mean over the area that it covers.

    Returns
    -------
    Tensor
        (images, 3 · side · side) uint8: the red plane row by row, then the green and the blue one.

    Raises
    ------
    FileNotFoundError
        If images are not on this machine.
    ValueError
        For an image that cannot be read or has another size, and for a `middle` or a `side` that does not fit.
    """
    if not 1 <= side <= middle <= SIDE:
        raise ValueError(f"expected 1 <= side <= middle <= {SIDE} pixels, found {middle=} and {side=}")
    chosen, own = of_user("lfw", names, data_dir)
    missing = [name for name in names if name not in own]
    if missing:
        looked = "no folder was named" if chosen is None else f"not found in {chosen} or in its folder lfw"
        raise FileNotFoundError(
            f"{len(missing)} of {len(names)} images of LFW, the first is {missing[0]}, are not on this machine ({looked}): get them from "
            "their authors, and name the folder that holds `lfw` by --data-dir, data_dir= or HARMONIUM_DATA"
        )
    found = torch.empty(len(names), 3 * side * side, dtype=torch.uint8)
    for row, name in zip(found, names, strict=True):
        row.copy_(_middle(own[name], middle, side))
    return found


def _middle(path: Path, middle: int, side: int) -> Tensor:
    from PIL import Image  # which matplotlib, too, reads with; here, so that importing the package does not wait for it

    edge = (SIDE - middle) // 2
    box = (edge, edge, edge + middle, edge + middle)
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            size = image.size
            small = np.array(image.convert("RGB").resize((side, side), Image.Resampling.BOX, box=box)) if size == (SIDE, SIDE) else None
    except Exception as fault:  # the reader may raise any exception, depending on the bytes
        raise ValueError(f"{path} is not a readable image: {fault}") from fault
    if small is None:
        raise ValueError(f"{path} is not LFW's: expected {SIDE} x {SIDE} pixels, found {size[1]} x {size[0]}")
    return torch.from_numpy(small).movedim(-1, 0).flatten()

"""Binary AlphaDigits: handwritten digits and capital letters, 20 x 16 (S. Roweis's collection)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.matlab import arrays

FILES = {"binaryalphadigs.mat": "3ee9392e64e4e3bb7b35502b69bf2555a0b4197c1b31048c4189b84bc0bc6ea7"}
CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
URLS = ("https://cs.nyu.edu/~roweis/data",)
OF_EACH, SHAPE = 39, (20, 16)


class AlphaDigits(NamedTuple):
    """Characters, and which they are.

    Attributes
    ----------
    images : Tensor
        (1404, 320) bool, true where there is ink, each image of 20 x 16 row by row.
    labels : Tensor
        (1404,) int64, from 0 to 35.
    classes : str
        The 36 characters: `classes[label]` is the name of a label.
    """

    images: Tensor
    labels: Tensor
    classes: str


def load(data_dir: str | Path | None = None) -> AlphaDigits:
    """Loads 39 images of each of 36 characters, class by class.

    The images of the letter O are those of the digit 0, so that no classifier can tell these two classes apart.

    No split was published. `binaryalphadigs.mat` is looked for in `data_dir` or else in HARMONIUM_DATA, there or in a folder
    `binary-alphadigits`, then in the cache (see `harmonium.data.fetch.locate`), then at its author's page.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    AlphaDigits
        Images, labels, and the names of the classes.

    Raises
    ------
    FileNotFoundError
        If the file is neither on this machine nor can be downloaded.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> images, labels, classes = hm.data.alphadigits.load()
    >>> images.shape, classes[labels[-1]]
    (torch.Size([1404, 320]), 'Z')
    """
    path = locate("binary-alphadigits", FILES, URLS, data_dir)["binaryalphadigs.mat"]
    cells = arrays(path, ["dat"]).get("dat")
    if cells is None or cells.dtype != object or cells.shape != (len(CLASSES), OF_EACH):
        found = "none" if cells is None else f"{cells.shape} of {cells.dtype}"
        raise ValueError(f"{path} is not the AlphaDigits: expected a cell array dat of {(len(CLASSES), OF_EACH)}, found {found}")
    pictures = [np.asarray(cell) for cell in cells.ravel()]
    if any(each.shape != SHAPE or each.dtype.kind not in "buif" or not np.isin(each, (0, 1)).all() for each in pictures):
        raise ValueError(f"{path} is damaged: expected images of {SHAPE} zeros and ones")
    images = torch.from_numpy(np.stack(pictures).astype(bool)).flatten(1)
    return AlphaDigits(images, torch.arange(len(CLASSES)).repeat_interleave(OF_EACH), CLASSES)

"""Omniglot: handwritten characters of many alphabets, twenty drawings of each (Lake, Salakhutdinov & Tenenbaum 2015)."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.pictures import decoded

FILES = {
    "images_background_small1.zip": "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    "images_background_small2.zip": "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
}
URLS = ("https://raw.githubusercontent.com/brendenlake/omniglot/master/python",)
CHARACTERS = {1: 136, 2: 156}  # of each of the two small sets
OF_EACH, SHAPE = 20, (105, 105)
MEMBER = re.compile(r"[^/]+/([^/]+)/(character\d+)/\d+_(\d+)\.png")
LARGEST = 10_000  # bytes of one drawing; those of the original have some hundred


class Omniglot(NamedTuple):
    """Drawings, and what they are.

    Attributes
    ----------
    images : Tensor
        (cases, 11025) bool, true where there is ink, each image of 105 x 105 row by row.
    characters : Tensor
        (cases,) int64, the number of the character.
    writers : Tensor
        (cases,) int64, which of its twenty writers drew it, from 0 to 19. Each alphabet has its own twenty.
    names : list of str
        Alphabet and character of each number, such as "Greek/character01".
    """

    images: Tensor
    characters: Tensor
    writers: Tensor
    names: list[str]


def load(part: int = 1, data_dir: str | Path | None = None) -> Omniglot:
    """Loads one of the two small background sets: five alphabets each, twenty drawings of a character.

    The archives `images_background_small1.zip` and `images_background_small2.zip` are looked for in `data_dir` or else in HARMONIUM_DATA,
    there or in a folder `omniglot-small`, then in the cache (see `harmonium.data.fetch.locate`), then in its authors' repository. They are
    read where they lie, and not unpacked.

    Parameters
    ----------
    part : {1, 2}, default 1
        Which set: 136 characters in 2,720 drawings, or 156 in 3,120.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Omniglot
        The drawings in the order of alphabets, characters and writers.

    Raises
    ------
    FileNotFoundError
        If the archive is neither on this machine nor can be downloaded.
    ValueError
        For another part, and for an archive that is damaged or not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> images, characters, writers, names = hm.data.omniglot.load()
    >>> images.shape, names[characters[-1]]
    (torch.Size([2720, 11025]), 'Latin/character26')
    """
    if part not in CHARACTERS:
        raise ValueError(f"the small sets are 1 and 2, found part={part!r}")
    file = f"images_background_small{part}.zip"
    path = locate("omniglot-small", {file: FILES[file]}, URLS, data_dir)[file]
    try:
        with zipfile.ZipFile(path) as archive:
            found = sorted((match.groups(), member) for member in archive.infolist() if (match := MEMBER.fullmatch(member.filename)))
            _check(path, [(alphabet, character) for (alphabet, character, _), _ in found], part)
            images = np.stack([_read(path, archive, member) for _, member in found])
    except (zipfile.BadZipFile, NotImplementedError) as fault:
        raise ValueError(f"{path} is not a readable zip archive: {fault}") from fault
    names = [f"{alphabet}/{character}" for (alphabet, character, _), _ in found[::OF_EACH]]
    numbers = torch.arange(len(found))
    return Omniglot(torch.from_numpy(images).flatten(1), numbers // OF_EACH, numbers % OF_EACH, names)


def _check(path: Path, found: list[tuple[str, str]], part: int) -> None:
    """Raises a ValueError unless there are twenty drawings of as many characters as the set has."""
    counts = {each: found.count(each) for each in dict.fromkeys(found)}
    if len(counts) != CHARACTERS[part] or set(counts.values()) != {OF_EACH}:
        raise ValueError(
            f"{path} is another file: expected {CHARACTERS[part]} characters with {OF_EACH} drawings each, found {len(counts)} with "
            f"{len(found)} in all"
        )


def _read(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """A drawing: true where the paper is black."""
    try:
        if member.file_size > LARGEST:
            raise ValueError(f"it has {member.file_size} bytes")
        image = decoded(BytesIO(archive.read(member)), ("PNG",))
    except Exception as fault:  # the readers may raise any exception, depending on the bytes
        raise ValueError(f"{member.filename} in {path} is not a readable drawing: {fault}") from fault
    if image.shape != SHAPE or not np.isin(image, (0, 1)).all():
        raise ValueError(f"{member.filename} in {path} is another image: expected {SHAPE} of black and white, found {image.shape}")
    return np.asarray(image == 0)

"""ORL (AT&T) faces: forty people, ten photographs each (Samaria & Harter 1994)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.pictures import decoded

PEOPLE, OF_EACH = 40, 10
SHAPE = (112, 92)
FIRST = {"att_faces/s1/1.pgm": "0198d5a79bb658bd75a79448880d9cf47d76c558c1a927244c004d26fb1e0499"}


class Faces(NamedTuple):
    """Photographs, and who is on them.

    Attributes
    ----------
    images : Tensor
        (400, 10304) uint8, grey from 0 to 255, each image of 112 x 92 row by row.
    people : Tensor
        (400,) int64, from 0 to 39.
    """

    images: Tensor
    people: Tensor


def load(data_dir: str | Path | None = None) -> Faces:
    """Loads the 400 photographs, person by person, ten of each.

    No split was published. The folder `att_faces` of the original archive, with its `s1/1.pgm` to `s40/10.pgm`, is looked for in `data_dir`
    or else in HARMONIUM_DATA, there or in a folder `orl-faces`, then in the cache (see `harmonium.data.fetch.locate`).

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Faces
        The images, and the number of the person on each.

    Raises
    ------
    FileNotFoundError
        If the photographs are not on this machine, or some of them are not.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> images, people = hm.data.orl_faces.load()
    >>> images.shape, people[:12].tolist()
    (torch.Size([400, 10304]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    """
    folder = locate("orl-faces", FIRST, (), data_dir)["att_faces/s1/1.pgm"].parents[1]
    paths = [folder / f"s{person}" / f"{number}.pgm" for person in range(1, PEOPLE + 1) for number in range(1, OF_EACH + 1)]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {len(missing)} of the {len(paths)} photographs, the first is {missing[0]}")
    images = torch.from_numpy(np.stack([_read(path) for path in paths]))
    return Faces(images.flatten(1), torch.arange(PEOPLE).repeat_interleave(OF_EACH))


def _read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        image = decoded(path, ("PPM",))
    except ValueError as fault:
        raise ValueError(f"{path} is not a readable image: {fault}") from fault
    if image.shape != SHAPE or image.dtype != np.uint8:
        raise ValueError(f"{path} is not ORL's: expected {SHAPE} uint8 grey levels, found {image.shape} of {image.dtype}")
    return np.asarray(image)

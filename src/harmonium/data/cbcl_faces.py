"""MIT CBCL face images, 19 x 19 (MIT Center for Biological and Computational Learning, CBCL Face Database #1, 2000)."""

from pathlib import Path

import numpy as np
import torch

from harmonium.data.fetch import locate
from harmonium.data.matlab import arrays

FILES = {"facesCBCL.mat": "ec1057c969c13acd218b8817a1b7cd473a8d8bb01046451bc4d3ef0d85bd13cf"}
SHAPE = (19, 19, 2429)


def load(data_dir: str | Path | None = None) -> torch.Tensor:
    """Loads the 2,429 faces of the database's training set.

    There are no names and no order of quality. No split was published. The database is no longer distributed where it was published:
    `facesCBCL.mat`, the copy that accompanies Murphy's PMTK3, is looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache (see
    `harmonium.data.fetch.locate`).

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    torch.Tensor
        (2429, 361) uint8, grey from 0 to 255.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.data.cbcl_faces.load().shape
    torch.Size([2429, 361])
    """
    path = locate("cbcl-faces", FILES, (), data_dir)["facesCBCL.mat"]
    images = arrays(path, ["X"]).get("X")
    if images is None or images.shape != SHAPE or images.dtype != np.float64:
        found = "none" if images is None else f"{images.shape} of {images.dtype}"
        raise ValueError(f"{path} is not CBCL's: expected an array X of {SHAPE} float64 values, found {found}")
    grey = np.rint(images * 255)
    if not (grey.min() >= 0 and grey.max() <= 255 and np.abs(images * 255 - grey).max() < 1e-6):
        raise ValueError(f"{path} is not CBCL's: expected grey levels k / 255, found values from {images.min():g} to {images.max():g}")
    return torch.from_numpy(grey.transpose(2, 0, 1).reshape(SHAPE[2], -1).astype(np.uint8))

"""Human motion capture: walking in several styles (Hsu, Pulli & Popović 2005; as reduced by Taylor, Hinton & Roweis 2006)."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.matlab import cells

FILES = {"mit_mocap.mat": "d91828a48afe679eee20215b7657a0f54258654d3a2c9d6e943fec41dc7a0ddf"}
CHANNELS = 49


class Motion(NamedTuple):
    """Sequences of frames.

    Attributes
    ----------
    train, test : list of Tensor
        (time, 49) float32 each, of zero mean and unit variance over all frames.
    """

    train: list[Tensor]
    test: list[Tensor]


def load(data_dir: str | Path | None = None) -> Motion:
    """Loads 3,826 frames of walking, in 35 sequences to train on and four to test with.

    The file accompanies Gan et al., "Deep temporal sigmoid belief networks" (NIPS 2015). It is looked for in `data_dir` or else in
    HARMONIUM_DATA, then in the cache (see `harmonium.data.fetch.locate`), in a folder `mocap`.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Motion
        The sequences.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> train, test = hm.data.motion.load()
    >>> len(train), train[0].shape
    (35, torch.Size([100, 49]))
    """
    path = locate("mocap", FILES, (), data_dir)["mit_mocap.mat"]
    found = cells(path, {"train_data": 35, "test_data": 4}, CHANNELS, torch.float32)
    return Motion(found["train_data"], found["test_data"])

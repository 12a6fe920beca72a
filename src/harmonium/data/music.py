"""Polyphonic music as piano rolls (Boulanger-Lewandowski, Bengio & Vincent 2012)."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.matlab import cells

FILES = {
    "JSB_Chorales.mat": "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
    "MuseData.mat": "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff",
    "Nottingham.mat": "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
    "Piano_midi.mat": "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34",
}
COUNTS = {"JSB_Chorales": (229, 76, 77), "MuseData": (524, 135, 124), "Nottingham": (694, 173, 170), "Piano_midi": (87, 12, 25)}
NOTES = 88


class Music(NamedTuple):
    """Pieces of music.

    Attributes
    ----------
    train, validation, test : list of Tensor
        (time, 88) bool each: which notes of the piano sound.
    """

    train: list[Tensor]
    validation: list[Tensor]
    test: list[Tensor]


def load(name: str = "JSB_Chorales", data_dir: str | Path | None = None) -> Music:
    """Loads the pieces of one collection, in the published split.

    The file is looked for in `data_dir` or else in HARMONIUM_DATA, then in the cache (see `harmonium.data.fetch.locate`), in a folder
    `polyphonic-music`.

    Parameters
    ----------
    name : {"JSB_Chorales", "MuseData", "Nottingham", "Piano_midi"}, default "JSB_Chorales"
        The collection.
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Music
        The pieces.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For another name, and for a file that is damaged or not the one its name says.

    Examples
    --------
    >>> import harmonium as hm
    >>> train, validation, test = hm.data.music.load()
    >>> len(train), train[0].shape[1]
    (229, 88)
    """
    if name not in COUNTS:
        raise ValueError(f"the collections are {', '.join(COUNTS)}, found {name!r}")
    file = f"{name}.mat"
    parts = dict(zip(("traindata", "validdata", "testdata"), COUNTS[name], strict=True))
    found = cells(locate("polyphonic-music", {file: FILES[file]}, (), data_dir)[file], parts, NOTES, torch.bool)
    return Music(*(found[part] for part in parts))

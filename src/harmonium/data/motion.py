"""Human motion capture: walking in several styles (Hsu, Pulli & Popović 2005; as reduced by Taylor, Hinton & Roweis 2006)."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.data.fetch import locate
from harmonium.data.matlab import arrays, cells
from harmonium.data.skeleton import Skeleton

FILES = {"mit_mocap.mat": "d91828a48afe679eee20215b7657a0f54258654d3a2c9d6e943fec41dc7a0ddf"}
CAPTURED = {"motion.mat": "378bf28e6f3ac4f9b7271bd793b4fd03f0cc406f92e6525c0026a931df38a6e9"}
CHANNELS, COLUMNS = 49, 108


class Capture(NamedTuple):
    """Sequences of frames as they were captured, and the skeleton that they move.

    Attributes
    ----------
    sequences : list of Tensor
        (time, 108) float32 each, 30 frames a second.
    skeleton : Skeleton
        Of 18 joints, with `positions(frames)` in mm.
    """

    sequences: list[Tensor]
    skeleton: Skeleton


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


def capture(data_dir: str | Path | None = None) -> Capture:
    """Loads the same 3,826 frames with the units that they were captured in, in their three sequences.

    The file is that of Taylor, Hinton & Roweis (2006), after the first step of their preprocessing: angles to the vertical in place of the
    body's orientation, and velocities in the ground plane and about the vertical in place of where it is. Columns that never change, such
    as the lengths of bones, are still there. It is looked for as `load` does.

    Parameters
    ----------
    data_dir : str or pathlib.Path, optional
        The user's own folder.

    Returns
    -------
    Capture
        The sequences and the skeleton.

    Raises
    ------
    FileNotFoundError
        If the file is not on this machine.
    ValueError
        For a file that is damaged, or that is not the one its name says.

    Notes
    -----
    The file does not say which axes its angles and velocities are of. `Skeleton` has the reading of them, among all choices of axes and
    signs, by which the lower foot stands: over 1,500 frames it moves by 1.3 mm a frame (median), and its height has a standard deviation
    of 10 mm.

    Examples
    --------
    >>> import harmonium as hm
    >>> sequences, skeleton = hm.data.motion.capture()
    >>> skeleton.positions(sequences[0]).shape
    torch.Size([438, 18, 3])
    """
    path = locate("mocap", CAPTURED, (), data_dir)["motion.mat"]
    sequences = cells(path, {"Motion": 3}, COLUMNS, torch.float32)["Motion"]
    joints = arrays(path, ["skel"])["skel"]["tree"][0, 0][0]
    parents, turns, places = (
        [tuple(int(number) - 1 for number in joint[name].ravel()) for joint in joints] for name in ("parent", "or", "offset")
    )
    return Capture(sequences, Skeleton(tuple(parent[0] if parent else -1 for parent in parents), tuple(turns), tuple(places)))

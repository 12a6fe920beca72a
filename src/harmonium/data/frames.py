"""Sequences as frames, each with the frames before it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Frames = Tensor | NDArray[Any]


def past_frames(sequence: Frames | Sequence[Frames], count: int) -> tuple[Tensor, Tensor]:
    """The frames of a sequence that have `count` frames before them, and these earlier frames as contexts of a conditional coupling.

    Parameters
    ----------
    sequence : torch.Tensor, numpy.ndarray, or a sequence of them
        One sequence, (time, *frame), of any type, oldest frame first; or a list or tuple of such sequences, each of its own length. No
        window extends from one sequence into another.
    count : int
        The number of past frames in a context, at least one.

    Returns
    -------
    frames : torch.Tensor
        (time - count, *frame): the frames of each sequence from number `count` + 1 on, one sequence after the other.
    contexts : torch.Tensor
        (time - count, count · frame size): for each frame the `count` frames before it, oldest first, flattened.

    Raises
    ------
    ValueError
        For a `count` below one, a sequence that is not longer than it, and sequences whose frames differ in shape or type.

    Notes
    -----
    Taylor, Hinton & Roweis, "Modeling human motion using binary latent variables", NIPS 2006.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> sequence = torch.arange(5)[:, None]
    >>> frames, contexts = hm.data.past_frames(sequence, 2)
    >>> frames.flatten(), contexts
    (tensor([2, 3, 4]), tensor([[0, 1],
            [1, 2],
            [2, 3]]))
    """
    if isinstance(sequence, Tensor | np.ndarray):
        return _windows(sequence, count, "a sequence")
    if not sequence:
        raise ValueError("expected at least one sequence, found an empty list")
    for number, one in enumerate(sequence):
        if not isinstance(one, Tensor | np.ndarray) or one.ndim < 2:
            what = f"one of shape {tuple(one.shape)}" if isinstance(one, Tensor | np.ndarray) else type(one).__name__
            raise ValueError(
                f"a list holds sequences, tensors or arrays of shape (time, ...): expected one at place {number}, found {what}; make the "
                "frames of one sequence an array first"
            )
    found = [_windows(one, count, f"sequence {number}") for number, one in enumerate(sequence)]
    kinds = {(tuple(frames.shape[1:]), frames.dtype) for frames, _ in found}
    if len(kinds) > 1:
        raise ValueError(f"the frames of all sequences must have one shape and type, found {sorted(kinds, key=str)}")
    return torch.cat([frames for frames, _ in found]), torch.cat([context for _, context in found])


def _windows(sequence: Frames, count: int, name: str) -> tuple[Tensor, Tensor]:
    """The same for one sequence, which messages call `name`."""
    frames = sequence if isinstance(sequence, Tensor) else torch.from_numpy(np.require(sequence, requirements=["C", "W"]))
    if count < 1 or frames.dim() < 2 or len(frames) <= count:
        raise ValueError(
            f"expected {name} of shape (time, ...) that is longer than the count of past frames, and a count of at least 1, found shape "
            f"{tuple(frames.shape)} and a count of {count}"
        )
    windows = torch.stack([frames[start : len(frames) - count + start] for start in range(count)], dim=1)
    return frames[count:], windows.flatten(1)

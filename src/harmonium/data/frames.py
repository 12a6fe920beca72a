"""Sequences as frames, each with those before it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Frames = Tensor | NDArray[Any]


def past_frames(sequence: Frames | Sequence[Frames], count: int) -> tuple[Tensor, Tensor]:
    """The frames that have `count` frames before them in their sequence, and these as the context of a conditional coupling.

    Args:
        sequence: one sequence, a tensor or array of (time, *frame), of any type, oldest frame first; or a list or tuple of such sequences,
            each of its own length. No window reaches from one sequence into another.
        count: how many past frames make a context, at least one.

    Returns:
        The frames of each sequence from the (`count` + 1)-th on, (time - count, *frame), one sequence after the other, and for each the
        window of the `count` before it, oldest first, flattened: (time - count, count · frame size).

    Raises:
        ValueError: `count` is below one, a sequence is no longer than it, or the frames of two sequences differ in shape or type.

    Source: G. Taylor, G. Hinton & S. Roweis, "Modeling human motion using binary latent variables", NIPS 2006.
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
    """The same of one sequence, called `name`."""
    frames = sequence if isinstance(sequence, Tensor) else torch.from_numpy(np.require(sequence, requirements=["C", "W"]))
    if count < 1 or frames.dim() < 2 or len(frames) <= count:
        raise ValueError(
            f"expected {name} of shape (time, ...) that is longer than the count of past frames, and this at least 1, found shape "
            f"{tuple(frames.shape)} and a count of {count}"
        )
    windows = torch.stack([frames[start : len(frames) - count + start] for start in range(count)], dim=1)
    return frames[count:], windows.flatten(1)

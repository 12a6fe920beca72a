"""Sequences as frames, each with those before it."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def past_frames(sequence: Tensor | NDArray[Any], count: int) -> tuple[Tensor, Tensor]:
    """The frames of one sequence that have `count` frames before them, and these as the context of a conditional coupling.

    Args:
        sequence: (time, *frame), of any type, oldest frame first.
        count: how many past frames make a context, at least one.

    Returns:
        The frames from the (`count` + 1)-th on, (time - count, *frame), and for each the window of the `count` before it, oldest
        first, flattened: (time - count, count · frame size). Windows of several sequences go together by `torch.cat`.

    Raises:
        ValueError: `count` is below one, or the sequence is no longer than it.

    Source: G. Taylor, G. Hinton & S. Roweis, "Modeling human motion using binary latent variables", NIPS 2006.
    """
    frames = sequence if isinstance(sequence, Tensor) else torch.from_numpy(np.require(sequence, requirements=["C", "W"]))
    if count < 1 or frames.dim() < 2 or len(frames) <= count:
        raise ValueError(
            f"expected a sequence of shape (time, ...) that is longer than the count of past frames, and this at least 1, found shape "
            f"{tuple(frames.shape)} and a count of {count}"
        )
    windows = torch.stack([frames[start : len(frames) - count + start] for start in range(count)], dim=1)
    return frames[count:], windows.flatten(1)

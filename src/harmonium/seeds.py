"""Seeds and generators: every draw has a generator of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def derive(seed: int, *path: int) -> int:
    """A seed for one purpose, independent of the seeds of other paths and of `seed` itself.

    Parameters
    ----------
    seed : int
        The user's seed.
    *path : int
        Numbers that identify the purpose.

    Returns
    -------
    int
        From 0 to 2^63 - 1.

    Examples
    --------
    >>> derive(0, 1) != derive(0, 2) != derive(0)
    True
    """
    return int(np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0] >> 1)


def fresh_generator(like: Tensor, seed: int) -> torch.Generator:
    """A new generator with this seed, on the device of `like`.

    Parameters
    ----------
    like : torch.Tensor
        A tensor on the wanted device.
    seed : int
        The seed.

    Returns
    -------
    torch.Generator
        The generator.
    """
    return torch.Generator(like.device).manual_seed(seed)

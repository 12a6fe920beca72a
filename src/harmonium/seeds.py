"""Seeds and generators: every draw has one of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def derive(seed: int, *path: int) -> int:
    """A seed for one purpose: independent of those of other paths, and of the seed itself."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0] >> 1)


def fresh_generator(like: Tensor, seed: int) -> torch.Generator:
    """A generator on the device of `like`."""
    return torch.Generator(like.device).manual_seed(seed)

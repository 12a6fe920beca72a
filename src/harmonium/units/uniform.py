"""Uniform numbers, which every binary draw is made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOW = torch.tensor(2.0**-24, dtype=torch.float32)


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1), of the type and device of `like`: as `torch.rand`, in steps of 2^-24 for floats.

    On a CPU, random bits are drawn by one core while the others wait, so that few of them are asked for. There each float has 16 random
    bits of its own, and the numbers of a row (the last axis) share the 8 below these. Every number is exactly uniform, and two of a row
    are independent but for what depends on bits below 2^-16: two binary draws by them, whatever their probabilities, have a covariance
    of at most 2^-34.
    """
    if like.dtype != torch.float32 or like.device.type != "cpu":
        return torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
    rows, count = math.prod(shape[:-1]), math.prod(shape)
    own, shared = -(-count // 4), -(-rows // 8)
    words = torch.empty(own + shared, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    high = words[:own].view(torch.int16)[:count].reshape(shape)  # from -2^15 to 2^15 - 1
    low = words[own:].view(torch.uint8)[:rows].reshape(*shape[:-1], 1)
    return torch.add(low * LOW + 0.5, high, alpha=2.0**-16)

"""Uniform numbers, which every binary draw is made of."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Independent uniform numbers in [0, 1), of the type and device of `like`: as `torch.rand`, in steps of 2^-24 for floats.

    On a CPU the generator of random numbers works alone while the other cores wait, and is a tenth of a learning step. There two
    floats are made of each 64 bits, which takes two thirds (large layers) to five sixths (small ones) of its time.
    """
    if like.dtype != torch.float32 or like.device.type != "cpu":
        return torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
    count = torch.Size(shape).numel()
    words = torch.empty((count + 1) // 2, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    signed = words.view(torch.int32)[:count].bitwise_right_shift_(8)  # 24 bits each, from -2^23 to 2^23 - 1
    return (signed * 2.0**-24).add_(0.5).reshape(shape)

"""Uniform random numbers, from which binary draws are made."""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_STEP = torch.tensor(2.0**-49, dtype=torch.float32)
BELOW_ONE = 1 - 2.0**-24


def uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform random numbers between 0 and 1, of the type and device of `like`.

    Parameters
    ----------
    shape : tuple of int
        The shape of the result.
    like : torch.Tensor
        A tensor of the wanted type and device.
    generator : torch.Generator
        The source of randomness.

    Returns
    -------
    torch.Tensor
        Of shape `shape`.

    Notes
    -----
    Single-precision numbers on a CPU are rounded from multiples of 2^-48 plus half a step. They are neither 0 nor 1. The probability that
    one is below p is p to within 2^-23 p + 2^-49, and zero below p = 2^-49: an event of probability e^-80 is never drawn. In double
    precision, and on other devices, the numbers are those of `torch.rand`: the probability is p to within 2^-53, or in single precision
    2^-24, where they are never 0 either.

    On a CPU one core draws random bits while the others wait, so few bits are drawn. Each float has 16 random bits of its own, and the
    numbers of a row (the last axis) share the 32 bits below these. Every number is uniform, and those of different rows are independent.
    Two numbers of a row are independent except through bits below 2^-16: two binary draws made from them, whatever their probabilities,
    have a covariance of at most 2^-34.
    """
    if like.device.type != "cpu" or like.dtype != torch.float32:
        u = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
        return u.masked_fill_(u == 0, BELOW_ONE) if like.dtype == torch.float32 else u
    own, shared = -(-math.prod(shape) // 4), -(-math.prod(shape[:-1]) // 2)
    words = torch.empty(own + shared, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    return from_bits(words[:own].view(torch.uint16), words[own:].view(torch.uint32), shape)


def from_bits(own: Tensor, shared: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Single-precision numbers made of `own`, at least one uint16 each, and `shared`, at least one uint32 per row."""
    u = own[: math.prod(shape)].reshape(shape).float()
    low = torch.add(HALF_STEP, shared[: math.prod(shape[:-1])].float(), alpha=2.0**-48).reshape(*shape[:-1], 1)
    return torch.add(low, u, alpha=2.0**-16 * BELOW_ONE, out=u)  # the factor keeps what would be rounded up to 1 below it

"""The order in which an epoch visits the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

HELD = 2**20  # most rows whose order is kept as a list
BLOCK = 2**16  # places computed together
ROUNDS = 8
MIX = 0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35  # of hash functions: odd, with bits at random places
WORD = 0xFFFFFFFF
Numbers = np.ndarray[Any, np.dtype[Any]]


class Order:
    """A random order of the numbers from 0 to `rows` - 1.

    The order of up to 2^20 rows is a list. That of more rows is computed a block at a time, and takes no more memory: a number goes through
    a Feistel network, eight rounds of a hash function, which permutes the numbers below the next power of two. It goes through again until
    it lies below `rows` (Black & Rogaway 2002, doi:10.1007/3-540-45760-7_9).

    Parameters
    ----------
    rows : int
        Number of rows.
    seed : int
        The seed.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self.rows = rows
        self.listed: Tensor | None = None
        if rows <= HELD:
            self.listed = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
            return
        self.block = -1, torch.empty(0)  # the last one computed
        bits = (rows - 1).bit_length()
        self.low = bits // 2  # bits of the lower part; the others are the upper part
        self.masks = (1 << self.low) - 1, (1 << (bits - self.low)) - 1
        self.keys = np.random.SeedSequence(seed).generate_state(ROUNDS, np.uint32).astype(np.uint64)

    def numbers(self, start: int, stop: int) -> Tensor:
        """The rows at places from `start` to `stop` - 1: (stop - start,) integers."""
        if self.listed is not None:
            return self.listed[start:stop]
        pieces = []
        for block in range(start // BLOCK, (stop - 1) // BLOCK + 1):
            if block != self.block[0]:
                self.block = block, self._of_block(block * BLOCK, min((block + 1) * BLOCK, self.rows))
            pieces.append(self.block[1][max(start - block * BLOCK, 0) : stop - block * BLOCK])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _of_block(self, start: int, stop: int) -> Tensor:
        found = self._permuted(np.arange(start, stop, dtype=np.uint64))
        outside = np.flatnonzero(found >= self.rows)
        while len(outside):
            found[outside] = self._permuted(found[outside])
            outside = outside[found[outside] >= self.rows]
        return torch.from_numpy(found.astype(np.int64))

    def _permuted(self, numbers: Numbers) -> Numbers:
        """Each part in turn is changed by a hash of the other part."""
        parts = [numbers & self.masks[0], numbers >> self.low]
        for number, key in enumerate(self.keys):
            own = number % 2
            mixed = (parts[1 - own] * MIX[0] + key) & WORD
            mixed = ((mixed ^ (mixed >> 15)) * MIX[1]) & WORD
            mixed = ((mixed ^ (mixed >> 13)) * MIX[2]) & WORD
            parts[own] = parts[own] ^ ((mixed ^ (mixed >> 16)) & self.masks[own])
        joined: Numbers = parts[0] | (parts[1] << self.low)
        return joined

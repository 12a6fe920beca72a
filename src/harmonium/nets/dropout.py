"""Dropout that draws with its own generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.units.uniform import uniform


class Dropout(nn.Module):
    """Zeroes each input with probability `p` while training, and scales the others by 1 / (1 - p) (Srivastava et al. 2014).

    Unlike `torch.nn.Dropout` it never touches the global seed: the mask comes from `generator`, which the trainer sets.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"the share of dropped inputs must be at least 0 and below 1, found {p}")
        self.p = p
        self.generator = torch.Generator()

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return input
        kept = uniform(input.shape, input, self.generator) >= self.p
        return input * kept / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"

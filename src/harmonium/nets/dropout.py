"""Dropout with its own generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 2**16  # of the random numbers that p is compared with


class Dropout(nn.Module):
    """Sets each input to zero with probability `p` in training, and scales the others by 1 / (1 - p).

    Unlike `torch.nn.Dropout`, it never uses the global seed: the mask comes from `generator`, which the trainer sets. Inputs are dropped
    independently, with the multiple of 2⁻¹⁶ below 1 that is nearest to `p`.

    Parameters
    ----------
    p : float
        The probability that an input is dropped, at least 0 and below 1.

    Attributes
    ----------
    generator : torch.Generator
        The source of the masks.

    Raises
    ------
    ValueError
        For another `p`.

    Notes
    -----
    Dropout: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014).

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import Dropout
    >>> dropout = Dropout(0.5)
    >>> dropout(torch.ones(1000)).unique()
    tensor([0., 2.])
    >>> dropout.eval()(torch.ones(3))
    tensor([1., 1., 1.])
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
        return input * self.mask(input)

    @torch.no_grad()
    def mask(self, like: Tensor) -> Tensor:
        """0 where an input of this shape is dropped, and 1 / (1 - p) elsewhere."""
        words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device)
        drawn = words.random_(-(2**63), None, generator=self.generator).view(torch.int16)[: like.numel()].view(like.shape)
        level = min(round(self.p * LEVELS), LEVELS - 1) - LEVELS // 2
        return (drawn >= level).to(like.dtype).mul_(1 / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


def draw_from(net: nn.Module, generator: torch.Generator) -> None:
    """Make a generator the source of all masks of a net."""
    for module in net.modules():
        if isinstance(module, Dropout):
            module.generator = generator

"""Dropout with its own generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.units.uniform import uniform


class Dropout(nn.Module):
    """Sets each input to zero with probability `p` in training, and scales the others by 1 / (1 - p).

    Unlike `torch.nn.Dropout`, it never uses the global seed: the mask comes from `generator`, which the trainer sets.

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
        kept = uniform(input.shape, input, self.generator) >= self.p
        return input * kept / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def draw_from(net: nn.Module, generator: torch.Generator) -> None:
    """Make a generator the source of all masks of a net."""
    for module in net.modules():
        if isinstance(module, Dropout):
            module.generator = generator

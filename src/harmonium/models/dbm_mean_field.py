"""What mean field finds of a deep Boltzmann machine's hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.rbm import Phase


class MeanField(NamedTuple):
    """A factorial q(h1, ..., hL) for each case. Each hidden layer has its conditional distribution at some input.

    Attributes
    ----------
    phase : Phase
        `v` holds the even layers: the data and the means of h2, h4, ... `input` and `hidden_mean` are the input and the means of the odd
        layers, given the even ones. A gradient needs these.
    even_input : Tensor
        (*leading, *even.statistic_shape), the inputs of the even hidden layers. It is zero at the data.
    change : Tensor
        (*leading), the mean change of the hidden units' means in the last sweep.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbm = hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)])
    >>> found = dbm.mean_field(torch.ones(2, 6))
    >>> tuple(found.phase.v.shape), tuple(found.phase.hidden_mean.shape)
    ((2, 9), (2, 4))
    """

    phase: Phase
    even_input: Tensor
    change: Tensor


def change(means: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """The mean absolute difference of two lists of layers' means over the hidden units, which follow the data: (*leading)."""
    units = sum(mean.shape[-1] for mean in means[1:])
    return torch.stack([(one - other).abs().sum(-1) for one, other in zip(means[1:], before[1:], strict=True)]).sum(0) / units

"""The hidden states of a community of experts."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class CommunityStates(NamedTuple):
    """The hidden states of a community of experts, which select a linear model for each case.

    Attributes
    ----------
    gates : list of Tensor
        (cases, units) of each hidden layer, from the data upwards: 1 where the linear unit is switched on, and 0 elsewhere.
    linear : list of Tensor
        (cases, units) of each hidden layer: the states of the linear units, whether they are switched on or not.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> v, hidden = hm.CommunityOfExperts(4, [3]).sample(5, generator=torch.Generator().manual_seed(0))
    >>> v.shape, hidden.gates[0].shape, hidden.linear[0].shape
    (torch.Size([5, 4]), torch.Size([5, 3]), torch.Size([5, 3]))
    """

    gates: list[Tensor]
    linear: list[Tensor]

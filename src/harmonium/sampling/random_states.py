"""States that have nothing to do with what a machine has learnt: where searches and chains begin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.units import NOTHING, Given, Unit

EACH = 3.0  # standard deviation of each unit's own input
TOGETHER, BOUNDED = 3.0, 10.0  # of what the units of a case have in common; of units with finitely many states, whatever their biases


@torch.no_grad()
def random_states(unit: Unit, *leading: int, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
    """Draw states at random inputs.

    The inputs of a case have a part in common, so that there are cases with hardly any unit on and others with hardly any off.

    Parameters
    ----------
    unit : Unit
        The layer.
    *leading : int
        The number of cases, or several leading axes.
    generator : torch.Generator
        The source of the draws.
    given : Given, optional
        What is given of the cases.

    Returns
    -------
    Tensor
        (*leading, *shape).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from harmonium.sampling.random_states import random_states
    >>> random_states(hm.Bernoulli(5), 3, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([3, 5])
    """
    like = unit.zero_input(*leading)
    together = like.new_empty(*like.shape[: like.dim() - len(unit.statistic_shape)], *[1] * len(unit.statistic_shape))
    common = together.normal_(generator=generator).mul_(TOGETHER if unit.count == math.inf else BOUNDED)
    input = like.normal_(generator=generator).mul_(EACH).add_(common)
    return unit.sample(input, generator=generator, given=given)

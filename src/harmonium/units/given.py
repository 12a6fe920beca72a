"""What varies from case to case but is not random."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Given:
    """Side information about each case, handed through units, couplings, sampling and likelihood.

    `present`: (*leading, *visible.shape), true where the visible unit exists for this case. A unit that is *absent* takes no part
    in the model of that case: it adds nothing to the energy, sends nothing to the hidden units and is never sampled, so the
    partition function depends on the mask (Salakhutdinov, Mnih & Hinton 2007). What stands in the data at absent places, NaN
    included, is never read.
    """

    present: Tensor | None = None

    def part(self, start: int, stop: int) -> Given:
        """The same for units `start` to `stop` of the last axis."""
        return self if self.present is None else replace(self, present=self.present[..., start:stop])


def keep_present(values: Tensor, given: Given | None) -> Tensor:
    """`values`, zero wherever the unit is absent."""
    if given is None or given.present is None:
        return values
    return torch.where(given.present.bool(), values, torch.zeros((), dtype=values.dtype, device=values.device))

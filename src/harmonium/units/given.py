"""What varies from case to case but is not random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Given:
    """Side information about each case, handed through units, couplings, sampling and likelihood.

    Two meanings of a gap in the data, never mixed:

    `present`: (*leading, *visible.shape), false where the visible unit is *absent*: it does not exist for this case. It adds nothing
    to the energy, sends nothing to the hidden units and is never sampled, so the partition function depends on the mask
    (Salakhutdinov, Mnih & Hinton 2007). What stands in the data at absent places, NaN included, is never read.

    `missing`: (*leading, *visible.shape), true where the unit exists but was not seen: it is latent. There is one partition function;
    learning draws the missing values from the model (clamped Gibbs sampling), completion too. The states handed to a model are whole,
    its missing places filled with the present draw, and `gibbs` draws these anew and leaves all else clamped.

    `length`: (*leading), the number of words of each document, which a replicated softmax needs where no states tell it.
    `context`: (*leading, size), what a conditional coupling makes its dynamic biases from, such as past frames.

    ValueError where both kinds of gap are given.
    """

    present: Tensor | None = None
    missing: Tensor | None = None
    length: Tensor | None = None
    context: Tensor | None = None

    def __post_init__(self) -> None:
        if self.present is not None and self.missing is not None:
            raise ValueError(
                "a gap is either absent (the unit does not exist for this case: present=) or missing (it exists and was not seen: "
                "missing=); give one of the two masks"
            )

    def map(self, function: Callable[[Tensor], Tensor]) -> Given:
        """The same with `function` applied to each field that is there."""
        return Given(**{f.name: None if getattr(self, f.name) is None else function(getattr(self, f.name)) for f in fields(self)})

    def part(self, start: int, stop: int) -> Given:
        """The same for units `start` to `stop` of the last axis."""
        present, missing = (None if mask is None else mask[..., start:stop] for mask in (self.present, self.missing))
        return replace(self, present=present, missing=missing)

    def only(self, *, present: Tensor) -> Given:
        """The same for none but the visible units that `present`, (*leading, *visible.shape), marks."""
        return replace(self, present=present, missing=None)

    def whole(self) -> Given:
        """The same once every missing value has been filled in."""
        return replace(self, missing=None)


def keep_present(values: Tensor, given: Given | None) -> Tensor:
    """`values`, zero wherever the unit is absent."""
    if given is None or given.present is None:
        return values
    return torch.where(given.present.bool(), values, torch.zeros((), dtype=values.dtype, device=values.device))

"""What varies from case to case but is not random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Given:
    """Side information about each case.

    Units, couplings, sampling and likelihood all take it as `given=`. `Given()` holds nothing and is their default. A gap in the data has
    one of two meanings, which are never mixed: the unit is absent (`present=`), or its value is missing (`missing=`).

    Parameters
    ----------
    present : torch.Tensor, optional
        (*leading, *visible.shape), false where the visible unit is *absent*: it does not exist for this case. It adds nothing to the
        energy, sends nothing to the hidden units and is never sampled, so the partition function depends on the mask. The data at absent
        places, NaN included, are never read.
    missing : torch.Tensor, optional
        (*leading, *visible.shape), true where the unit exists but was not observed: it is latent. There is one partition function. Learning
        and completion draw the missing values from the model by clamped Gibbs sampling. The states handed to a model have no gaps: the
        missing places hold the current draw. `gibbs` draws these anew and leaves all others clamped.
    length : torch.Tensor, optional
        (*leading), the number of words of each document. A replicated softmax needs it where no states determine it.
    context : torch.Tensor, optional
        (*leading, size), from which a conditional coupling makes its dynamic biases, such as past frames.

    Raises
    ------
    ValueError
        For both kinds of gap at once.

    Notes
    -----
    Absent units: Salakhutdinov, Mnih & Hinton (2007), doi:10.1145/1273496.1273596.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))
    >>> ratings = torch.tensor([[1.0, 0.0, float("nan")]])
    >>> given = hm.Given(present=~ratings.isnan())
    >>> rbm.free_energy(ratings, given).isfinite()
    tensor([True])
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
        for kind in ("present", "missing", "length", "context"):
            value = getattr(self, kind)
            if value is not None and not isinstance(value, Tensor):  # arrays, lists and frames of numbers
                object.__setattr__(self, kind, torch.as_tensor(value if isinstance(value, list | tuple | float | int) else np.array(value)))

    def __bool__(self) -> bool:
        """Whether anything is given."""
        return bool(self.kinds)

    def __repr__(self) -> str:
        return f"Given({', '.join(f'{kind}={getattr(self, kind)!r}' for kind in self.kinds)})"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the fields that are given."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)

    def map(self, function: Callable[[Tensor], Tensor]) -> Given:
        """The same with `function` applied to each field that is given."""
        return replace(self, **{kind: function(getattr(self, kind)) for kind in self.kinds})

    def rows(self, index: int | slice | Tensor) -> Given:
        """The same for the cases that `index` picks from the first axis."""
        return self.map(lambda field: field[index])

    def expand(self, copies: int) -> Given:
        """`copies` of it along a new first axis, without memory of their own."""
        return self.map(lambda field: field.expand(copies, *field.shape))

    def to(self, device: torch.device) -> Given:
        """The same on another device."""
        return self.map(lambda field: field.to(device))

    def part(self, start: int, stop: int) -> Given:
        """The same for units `start` to `stop` of the last axis."""
        present, missing = (None if mask is None else mask[..., start:stop] for mask in (self.present, self.missing))
        return replace(self, present=present, missing=missing)

    def only(self, *, present: Tensor) -> Given:
        """The same with only the visible units present that `present`, (*leading, *visible.shape), marks."""
        return replace(self, present=present, missing=None)

    def whole(self) -> Given:
        """The same once every missing value is filled in."""
        return self if self.missing is None else replace(self, missing=None)


NOTHING = Given()
"""No side information: the default of every `given=`."""


def keep_present(values: Tensor, given: Given) -> Tensor:
    """Sets values to zero where the unit is absent.

    Parameters
    ----------
    values : torch.Tensor
        (*leading, *shape).
    given : Given
        The side information; its `present` broadcasts with `values`.

    Returns
    -------
    torch.Tensor
        `values` themselves where nothing is absent, else a new tensor of the same type.

    Examples
    --------
    >>> import torch
    >>> from harmonium.units import Given, keep_present
    >>> keep_present(torch.tensor([1.0, float("nan")]), Given(present=torch.tensor([True, False])))
    tensor([1., 0.])
    """
    if given.present is None:
        return values
    return torch.where(given.present.bool(), values, torch.zeros((), dtype=values.dtype, device=values.device))

"""A sparse table of ratings, users by items."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.seeds import derive

if TYPE_CHECKING:
    from scipy import sparse


class Scale(NamedTuple):
    """What a rating can be.

    Attributes
    ----------
    low, high : float
        The lowest and the highest.
    step : float
        Between neighbouring values; 0 for real numbers.

    Examples
    --------
    >>> import harmonium as hm
    >>> hm.data.ratings.Scale(1.0, 5.0, 1.0).levels
    tensor([1., 2., 3., 4., 5.])
    """

    low: float
    high: float
    step: float = 0.0

    @property
    def levels(self) -> Tensor:
        """The possible values, ascending: (levels,). Raises a ValueError for a scale of real numbers, which are not counted."""
        if not self.step:
            raise ValueError(f"the ratings are real numbers from {self.low:g} to {self.high:g}: a list of levels needs a step above 0")
        return self.low + self.step * torch.arange(round((self.high - self.low) / self.step) + 1)

    def holds(self, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether each value, (ratings,), is on the scale. NaN is not."""
        inside = (values >= self.low) & (values <= self.high)
        places = (values - self.low) / (self.step or 1.0)
        on_step = np.isclose(places, np.round(places), atol=1e-6) if self.step else True
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = inside & on_step
        return found

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}" + (f" in steps of {self.step:g}" if self.step else "")


@dataclasses.dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings of items by users: a list of places and values, whose memory grows with the ratings and not with the table.

    Parameters
    ----------
    users, items : torch.Tensor
        (ratings,) int64, places in the two lists of names.
    values : torch.Tensor
        (ratings,) float32.
    user_names, item_names : tuple of str
        As the files have them; titles where there are any.
    scale : Scale
        What a rating can be.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> users, items, values = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), torch.tensor([5.0, 3.0, 4.0])
    >>> table = hm.data.ratings.Ratings(users, items, values, ("ann", "bob"), ("Solaris", "Stalker"), hm.data.ratings.Scale(1.0, 5.0, 1.0))
    >>> table
    Ratings(3 by 2 users of 2 items, from 1 to 5 in steps of 1)
    >>> table.to_csr().toarray()
    array([[5., 3.],
           [0., 4.]], dtype=float32)
    """

    users: Tensor
    items: Tensor
    values: Tensor
    user_names: tuple[str, ...]
    item_names: tuple[str, ...]
    scale: Scale

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Ratings({len(self):,} by {len(self.user_names):,} users of {len(self.item_names):,} items, {self.scale})"

    def rows(self, numbers: Tensor) -> Ratings:
        """The ratings with these numbers, (count,) int64, of the same users and items."""
        return dataclasses.replace(self, users=self.users[numbers], items=self.items[numbers], values=self.values[numbers])

    def split(self, seed: int, share: float = 0.1) -> tuple[Ratings, Ratings]:
        """Ratings to learn from, and a random share of them to be judged by.

        The same seed gives the same split wherever and whenever it is made.

        Parameters
        ----------
        seed : int
            Of the draw.
        share : float, default 0.1
            Of the ratings that are held out.

        Returns
        -------
        tuple of Ratings
            The others, and those held out.

        Raises
        ------
        ValueError
            If one of the two would be empty.
        """
        held = round(share * len(self))
        if not 0 < held < len(self):
            raise ValueError(f"a share of {share:g} of {len(self)} ratings leaves one part of the split empty: give one between 0 and 1")
        order = torch.from_numpy(np.random.default_rng(derive(seed)).permutation(len(self)))
        return self.rows(order[held:].sort().values), self.rows(order[:held].sort().values)

    def transposed(self) -> Ratings:
        """The same with users and items in each other's place, as an item-based model sees them."""
        return dataclasses.replace(self, users=self.items, items=self.users, user_names=self.item_names, item_names=self.user_names)

    def to_csr(self) -> sparse.csr_array:
        """The table as a SciPy matrix of users by items, whose places without a rating are not stored."""
        from scipy import sparse

        shape = (len(self.user_names), len(self.item_names))
        return sparse.csr_array((self.values.numpy(), (self.users.numpy(), self.items.numpy())), shape=shape)

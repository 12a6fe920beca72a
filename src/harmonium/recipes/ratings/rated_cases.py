"""A table of ratings as the cases of a rating machine, and back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from harmonium.data.rating_table import Ratings, Scale
from harmonium.recipes.ratings.rating_machine import Rated
from harmonium.units import Gaussian, Softmax, Unit


class Measure(NamedTuple):
    """How a rating is the state of a unit: rating = centre + <state, values>.

    Attributes
    ----------
    centre : float
        0 for softmax units, the mean rating for Gaussian ones.
    values : Tensor
        (size,), the rating of each category, or the standard deviation of ratings.
    edges : Tensor or None
        (categories - 1,), the bounds between categories.
    """

    centre: float
    values: Tensor
    edges: Tensor | None

    def states(self, ratings: Tensor) -> Tensor:
        """(ratings,) as (ratings, size)."""
        if self.edges is None:
            return (ratings[:, None] - self.centre) / self.values
        return one_hot(torch.bucketize(ratings, self.edges), len(self.values)).to(ratings.dtype)

    def ratings(self, states: Tensor) -> Tensor:
        """(ratings, size) states or means as (ratings,)."""
        return self.centre + states @ self.values

    def unit(self, variance: float) -> Unit:
        """The unit of one rating. `variance`: of a Gaussian one, over that of ratings."""
        return Gaussian(1, variance=variance) if self.edges is None else Softmax(1, categories=len(self.values))


def by_levels(scale: Scale) -> Measure:
    """A category for each level of a scale."""
    levels = scale.levels
    return Measure(0.0, levels, (levels[1:] + levels[:-1]) / 2)


def by_bins(ratings: Tensor, bins: int) -> Measure:
    """Categories of real ratings with an equal share of them each, whose values are the means of theirs."""
    edges = torch.quantile(ratings.double(), torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]).to(ratings)
    places = torch.bucketize(ratings, edges)
    totals = torch.zeros(bins).index_add(0, places, ratings)
    return Measure(0.0, totals / torch.bincount(places, minlength=bins).clamp_min(1), edges)


def standardised(ratings: Tensor) -> Measure:
    """Real ratings less their mean, over their standard deviation."""
    return Measure(ratings.mean().item(), ratings.std()[None], None)


def rated(learnt: Ratings, judged: Ratings, measure: Measure) -> Rated:
    """The ratings that are learnt from, by user; of the judged ones it is known only that they exist."""
    order = learnt.users.argsort(stable=True)
    users, items = torch.cat([learnt.users, judged.users]), torch.cat([learnt.items, judged.items])
    known = users.argsort(stable=True)
    states = measure.states(learnt.values[order])
    return Rated(len(learnt.user_names), learnt.users[order], learnt.items[order], states, users[known], items[known])


def generated(users: int, items: int, ratings: int, seed: int, *, scale: Scale = Scale(1.0, 5.0, 1.0)) -> Ratings:  # noqa: B008 (immutable)
    """Ratings of a model of two factors and biases with noise; some users rate more than others, and some items are rated more.

    About `ratings` of them: places that are drawn twice are kept once.
    """
    generator = torch.Generator().manual_seed(seed)

    def places(count: int) -> Tensor:
        return (count * torch.rand(ratings, generator=generator).pow(2)).long()

    pairs = torch.unique(torch.stack([places(users), places(items)], 1), dim=0)
    own, other = torch.randn(users, 3, generator=generator), torch.randn(items, 3, generator=generator)
    found = own[pairs[:, 0]], other[pairs[:, 1]]
    liking = found[0][:, 0] + found[1][:, 0] + (found[0][:, 1:] * found[1][:, 1:]).sum(1) + torch.randn(len(pairs), generator=generator)
    middle, width = (scale.low + scale.high) / 2, (scale.high - scale.low) / 2
    values = middle + 0.5 * width * liking
    values = values if not scale.step else scale.low + scale.step * ((values - scale.low) / scale.step).round()
    names = (tuple(f"user {n}" for n in range(users)), tuple(f"item {n}" for n in range(items)))
    return Ratings(pairs[:, 0].clone(), pairs[:, 1].clone(), values.clamp(scale.low, scale.high), *names, scale)

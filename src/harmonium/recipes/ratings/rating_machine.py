"""An RBM per case over the items that the case has rated, all with the same parameters: only ratings are ever touched."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from harmonium.seeds import derive
from harmonium.units import Unit


class Rated(NamedTuple):
    """Ratings of some cases. A case is a user, and items are films; or a case is a film, and its items are users.

    Attributes
    ----------
    cases : int
        Number of cases.
    case, item : Tensor
        (ratings,) int64, in the order of cases.
    states : Tensor
        (ratings, size), states of the one visible unit or group of units that a rating is.
    known_case, known_item : Tensor
        (pairs,) int64, in the order of cases: what is known to be rated, whether the rating is known or not.
    """

    cases: int
    case: Tensor
    item: Tensor
    states: Tensor
    known_case: Tensor
    known_item: Tensor

    def of(self, chosen: Tensor) -> Rated:
        """Those of some cases, (cases,) int64, numbered in this order."""
        case, rows = rows_of(self.case, chosen)
        known_case, known = rows_of(self.known_case, chosen)
        return Rated(len(chosen), case, self.item[rows], self.states[rows], known_case, self.known_item[known])

    def to(self, device: str) -> Rated:
        """The same on a device."""
        return Rated(self.cases, *(each.to(device) for each in self[1:]))


def rows_of(sorted_cases: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The places of chosen cases in a sorted list of cases: each place's number among those chosen, and the places."""
    first = torch.searchsorted(sorted_cases, chosen)
    counts = torch.searchsorted(sorted_cases, chosen, right=True) - first
    case = torch.repeat_interleave(counts)
    within = torch.arange(len(case), device=case.device) - (counts.cumsum(0) - counts)[case]
    return case, first[case] + within


CASES, RATINGS = 128, 8192  # taken together in predictions, to limit memory


def rows_at(table: Tensor, places: Tensor) -> Tensor:
    """Rows of a table, whose gradient holds these rows alone."""
    found: Tensor = embedding(places, table, sparse=True)
    return found


class RatingMachine(nn.Module):
    """A machine whose visible units are the ratings that a case has (Salakhutdinov, Mnih & Hinton 2007).

    The units of other items are absent.

    The weights of item i and hidden unit j are Σ_c basis[c] own[i, c, j] + common[j] for each value of a rating. With the identity as basis
    they are any, as in the paper. A few polynomials of the rating in its place, and a part that all items share, are what makes rarely
    rated items learnable.

    Parameters
    ----------
    visible
        The unit of one rating: a softmax group of the values that a rating has, or one Gaussian unit. Its bias is common to all items.
    hidden
        The hidden layer.
    items
        Number of items.
    basis
        (columns, size of the visible statistic).
    rank
        Factors of the items' weights, own = A B; 0 leaves them whole.
    conditional
        Whether hidden units also see which items are known to be rated, by weights D: (items, hidden).
    seed
        Of the weights.
    """

    basis: Tensor

    def __init__(self, visible: Unit, hidden: Unit, items: int, basis: Tensor, *, rank: int, conditional: bool, seed: int) -> None:
        super().__init__()
        self.visible, self.hidden = visible, hidden
        (size,), (units,) = visible.statistic_shape, hidden.statistic_shape

        def drawn(place: int, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).normal_(std=0.05, generator=torch.Generator().manual_seed(derive(seed, place))))

        self.register_buffer("basis", basis)
        self.bias = nn.Parameter(torch.zeros(items, size))
        self.common = drawn(0, size, units)
        self.own = drawn(1, items, len(basis) * (rank or units))
        self.factors = drawn(2, rank, units) if rank else None
        self.rated = nn.Parameter(torch.zeros(items, units)) if conditional else None

    @property
    def rows(self) -> dict[str, nn.Parameter]:
        """The parameters that have a row per item, of which a batch touches those of its items alone."""
        return {name: each for name in ("bias", "own", "rated") if (each := getattr(self, name)) is not None}

    def weights(self, items: Tensor) -> Tensor:
        """The items' own: (ratings, columns, hidden)."""
        own = rows_at(self.own, items).reshape(len(items), len(self.basis), -1)
        return own if self.factors is None else own @ self.factors

    def contributions(self, item: Tensor, states: Tensor) -> Tensor:
        """What each rating adds to the hidden units' input: (ratings, hidden)."""
        s = self.visible.statistic(states)
        found = torch.einsum("nc,ncj->nj", s @ self.basis.T, self.weights(item)) + s @ self.common
        return found.to(s)  # in autocast too, so that sums of many of them are taken in full precision

    def hidden_input(self, seen: Rated, contributions: Tensor) -> Tensor:
        """Of each case: (cases, hidden), without the hidden units' own biases."""
        input = contributions.new_zeros(seen.cases, contributions.shape[1]).index_add(0, seen.case, contributions)
        if self.rated is None:
            return input
        return input.index_add(0, seen.known_case, rows_at(self.rated, seen.known_item))

    def visible_input(self, item: Tensor, s_h: Tensor) -> Tensor:
        """Of a rating each, (ratings, size), without the visible unit's own bias. `s_h`: (ratings, hidden)."""
        by_column = torch.einsum("ncj,nj->nc", self.weights(item), s_h)
        return rows_at(self.bias, item) + by_column @ self.basis + s_h @ self.common.T

    def free_energy(self, seen: Rated) -> Tensor:
        """-log Σ_h exp(-E(ratings, h)) of each case, nats: (cases,)."""
        own = (self.visible.statistic(seen.states) * rows_at(self.bias, seen.item)).sum(-1)
        input = self.hidden_input(seen, self.contributions(seen.item, seen.states))
        alone = torch.zeros_like(input[:, 0]).index_add(0, seen.case, self.visible.energy(seen.states) - own)
        return alone - self.hidden.log_partition(input)

    @torch.no_grad()
    def reconstruction(self, seen: Rated, steps: int, generator: torch.Generator) -> Rated:
        """The same places with ratings drawn by `steps` sweeps of Gibbs sampling."""
        for _ in range(steps):
            s_h = self.hidden.statistic(
                self.hidden.sample(self.hidden_input(seen, self.contributions(seen.item, seen.states)), generator=generator)
            )
            seen = seen._replace(states=self.visible.sample(self.visible_input(seen.item, s_h[seen.case]), generator=generator))
        return seen

    def without_itself(self, seen: Rated) -> Tensor:
        """The input of each rating's unit from the hidden units' means given the case's other ratings: (ratings, size)."""
        contributions = self.contributions(seen.item, seen.states)
        means = self.hidden.mean(self.hidden_input(seen, contributions)[seen.case] - contributions)
        return self.visible_input(seen.item, self.hidden.statistic(means))

    @torch.no_grad()
    def hidden_means(self, seen: Rated) -> Tensor:
        """E[h | ratings] of each case: (cases, hidden)."""
        parts = [seen.of(chosen) for chosen in torch.split(torch.arange(seen.cases, device=seen.case.device), CASES)]
        return torch.cat([self.hidden.mean(self.hidden_input(part, self.contributions(part.item, part.states))) for part in parts])

    @torch.no_grad()
    def prediction_input(self, seen: Rated, case: Tensor, item: Tensor) -> Tensor:
        """The input of the units of ratings that are not known, (ratings, size), from the means of their cases' hidden units."""
        s_h, chunks = (
            self.hidden.statistic(self.hidden_means(seen)),
            zip(torch.split(case, RATINGS), torch.split(item, RATINGS), strict=True),
        )
        return torch.cat([self.visible_input(items, s_h[cases]) for cases, items in chunks])

"""One-of-k units."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally
from harmonium.units.uniform import uniform
from harmonium.units.unit import Values


class Softmax(Biased):
    """Groups of one-of-k units (Potts units): exactly one category of each group is on.

    States are one-hot and flat: (*leading, groups · categories). Given the input x, the probabilities of a group's categories are
    softmax(b + x). The biases of a group are determined up to a common constant. In a mask of present units, all categories of a group
    are present or all are absent.

    Parameters
    ----------
    groups : int
        The number of groups.
    categories : int
        The number of categories of each group, at least two.
    values : {"binary", "probabilities"}
        What the data are: one-hot groups, or distributions over each group's categories.

    Raises
    ------
    ValueError
        For fewer than two categories, and for other `values`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Softmax(2, categories=3)
    >>> units.shape
    (6,)
    >>> units.mean(torch.tensor([0.0, 0.0, 0.0, 2.0, 0.0, 0.0])).detach()
    tensor([0.3333, 0.3333, 0.3333, 0.7870, 0.1065, 0.1065])
    >>> draws = units.sample(units.zero_input(5), generator=torch.Generator().manual_seed(0))
    >>> units.grouped(draws).sum(-1).unique()
    tensor([1.])
    """

    def __init__(self, groups: int, *, categories: int, values: Values = "binary") -> None:
        if categories < 2:
            raise ValueError(f"a softmax group needs at least two categories, found {categories}")
        if values not in ("binary", "probabilities"):
            raise ValueError(f'values must be "binary" or "probabilities", found {values!r}')
        super().__init__(groups * categories)
        self.groups, self.categories = groups, categories
        self.values: Values = values

    def grouped(self, flat: Tensor) -> Tensor:
        """A view of (*leading, groups · categories) as (*leading, groups, categories)."""
        return flat.reshape(*flat.shape[:-1], self.groups, self.categories)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        terms = torch.logsumexp(self.grouped(input + self.bias), dim=-1)
        if given.present is not None:
            terms = keep_present(terms, Given(self.grouped(given.present)[..., 0]))
        return terms.sum(-1)

    def by_category(self, flat: Tensor) -> Tensor:
        """Reorders (*leading, groups · categories) to (categories, *leading, groups).

        Sums over few categories are many times faster in this order.
        """
        return self.grouped(flat).movedim(-1, 0).contiguous()

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(torch.softmax(self.by_category(input + self.bias), dim=0).movedim(0, -1).flatten(-2), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        mean = self.mean(input, given)
        return mean * (1 - mean)

    def _one_hot(self, categories: Tensor, like: Tensor, given: Given) -> Tensor:
        flat = torch.zeros(*categories.shape, self.categories, dtype=like.dtype, device=like.device)
        return keep_present(flat.scatter_(-1, categories.unsqueeze(-1), 1.0).flatten(-2), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self._one_hot(self.grouped(input + self.bias).argmax(dim=-1), input, given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution of each group at one uniform number."""
        p = torch.softmax(self.by_category(input + self.bias), dim=0) if mean is None else self.by_category(mean)
        u = uniform((*input.shape[:-1], self.groups), input, generator)
        ends = p.cumsum(dim=0)
        return self._one_hot((u * ends[-1] >= ends[:-1]).sum(dim=0), input, given)  # no remainder from rounding falls to the last category

    def check(self, states: Tensor) -> None:
        self._check(states, self.values)

    def check_states(self, states: Tensor) -> None:
        self._check(states, "binary")

    def _check(self, states: Tensor, values: Values) -> None:
        check_shape("Softmax", states, self.shape)
        check_finite("Softmax", states)
        low, sums = states.min().item(), self.grouped(states).sum(dim=-1, dtype=torch.float64)
        wrong = (sums - 1).abs() > 1e-4
        if low < 0 or bool(wrong.any()):
            found = f"a value of {low:g}" if low < 0 else f"a group that adds up to {sums[wrong][0].item():g}"
            raise ValueError(f"Softmax units expect each group of {self.categories} to be one-hot and to add up to 1, found {found}")
        if values == "binary" and bool(((states != 0) & (states != 1)).any()):
            raise ValueError(
                "Softmax units expect one-hot groups of 0 and 1, found values between them; "
                'Softmax(..., values="probabilities") takes distributions'
            )

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets b to the log of each category's share, with Laplace's rule."""
        counts, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        self.bias.copy_(torch.log((counts + 1) / (cases + self.categories)))

    def base_input(self, mean: Tensor) -> Tensor:
        return mean.clamp_min(1e-3).log() - self.bias.detach()

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return weights.reshape(self.groups, self.categories, -1).amax(1).sum(0)

    @property
    def count(self) -> float:
        count: int = self.categories**self.groups  # an exact integer: a float would overflow
        return count

    def states(self, numbers: Tensor) -> Tensor:
        powers = self.categories ** torch.arange(self.groups, device=numbers.device)
        return self._one_hot(numbers[:, None] // powers % self.categories, self.bias, NOTHING)

    def as_visible_layer(self) -> Self:
        return type(self)(self.groups, categories=self.categories, values="probabilities")

    def arguments(self) -> dict[str, object]:
        return {"groups": self.groups, "categories": self.categories, "values": self.values}

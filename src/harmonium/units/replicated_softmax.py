"""Word counts of documents."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given
from harmonium.units.sums import tally, weighted_sum


class ReplicatedSoftmax(Biased):
    """The word counts of a document, whose words are all drawn from one softmax.

    States are counts n, (*leading, categories). The statistic is (n, D) with D = Σ n the length of the document, so that the last row of
    the coupling scales the hidden units' biases with the length; the hidden layer's own biases stay at zero. The length is given, never
    modelled: `log_partition`, `mean` and `sample` need `Given(length=...)`, and there is one log Z for each length. A document of one
    word is a `Softmax` group.

    Parameters
    ----------
    categories : int
        The number of words in the vocabulary, at least two.

    Raises
    ------
    ValueError
        For fewer than two categories.

    Notes
    -----
    The energy is -b·n. The probability is that of the word sequence: there is no multinomial coefficient (Salakhutdinov & Hinton 2009).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.ReplicatedSoftmax(4), hm.Bernoulli(3))
    >>> rbm.coupling.visible
    (5,)
    >>> units = hm.ReplicatedSoftmax(4)
    >>> units.mean(units.zero_input(), hm.Given(length=torch.tensor(8))).detach()
    tensor([2., 2., 2., 2.])
    >>> counts = units.sample(units.zero_input(2), generator=torch.Generator().manual_seed(0), given=hm.Given(length=torch.tensor([5, 9])))
    >>> counts.sum(-1)
    tensor([5., 9.])
    """

    scales_hidden_bias = True

    def __init__(self, categories: int) -> None:
        if categories < 2:
            raise ValueError(f"a replicated softmax needs at least two categories, found {categories}")
        super().__init__(categories)
        self.categories = categories

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        return (self.categories + 1,)

    def statistic(self, states: Tensor, given: Given = NOTHING) -> Tensor:
        _check_whole(given)
        return torch.cat([states, states.sum(-1, keepdim=True)], dim=-1)

    def given_by(self, states: Tensor, given: Given = NOTHING) -> Given:
        return replace(given, length=states.sum(-1))

    def _length(self, given: Given, like: Tensor) -> Tensor:
        """The number of words of each document: (*leading)."""
        _check_whole(given)
        if given.length is None:
            raise ValueError(
                "ReplicatedSoftmax units need the length of each document, its number of words: "
                "give given=Given(length=...), as visible.given_by(counts) makes it"
            )
        return given.length.to(like)

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """D (log Σ_k exp(b_k + x_k) + x_last), summed over word sequences: (*leading), nats."""
        words, last = input[..., :-1] + self.bias, input[..., -1]
        return self._length(given, input) * (torch.logsumexp(words, dim=-1) + last)

    def _shares(self, input: Tensor) -> Tensor:
        """The probability of each word: (*leading, categories)."""
        return torch.softmax(input[..., :-1] + self.bias, dim=-1)

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self._length(given, input)[..., None] * self._shares(input)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        p = self._shares(input)
        return self._length(given, input)[..., None] * p * (1 - p)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """Every word is the most probable one: (*leading, categories)."""
        total = input[..., :-1] + self.bias
        best = total.argmax(dim=-1, keepdim=True)
        length = self._length(given, input).expand(total.shape[:-1])
        return torch.zeros_like(total).scatter_(-1, best, length[..., None])

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        """Inverts the cumulative distribution of each document, in float64, at one uniform number per word."""
        shares = torch.softmax((input[..., :-1] + self.bias).double(), dim=-1).reshape(-1, self.categories)
        length = self._length(given, shares).expand(input.shape[:-1]).flatten().round().long()
        ends = shares.cumsum(-1)
        ends = ends / ends[:, -1:] + torch.arange(len(ends), device=ends.device)[:, None]  # those of document n run from n to n + 1
        document = torch.repeat_interleave(length)
        u = torch.rand(document.shape, generator=generator, dtype=ends.dtype, device=ends.device)
        word = torch.searchsorted(ends.flatten(), document + u, right=True).minimum((document + 1) * self.categories - 1)
        counts = torch.bincount(word, minlength=ends.numel())
        return counts.to(input.dtype).reshape(*input.shape[:-1], self.categories)

    def parameter_gradient(
        self, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
    ) -> dict[str, Tensor]:
        _check_whole(given)
        return {"bias": -weighted_sum(states, weights, self.bias)}

    def check(self, states: Tensor) -> None:
        check_shape("ReplicatedSoftmax", states, self.shape)
        check_finite("ReplicatedSoftmax", states)
        low = states.min().item()
        odd = states != states.round() if states.is_floating_point() else torch.zeros_like(states, dtype=torch.bool)
        if low < 0 or bool(odd.any()):
            found = low if low < 0 else states[odd][0].item()
            raise ValueError(f"ReplicatedSoftmax units expect word counts, integers of zero or more, found {found:g}")
        empty = states.sum(-1) == 0
        if bool(empty.any()):
            raise ValueError(
                f"ReplicatedSoftmax units expect at least one word in each document, found {int(empty.sum())} without any; drop these"
            )

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets b to the log of each word's share of all words, with Laplace's rule."""
        counts, _ = tally(data.to(self.bias.dtype), weights, self.bias)
        self.bias.copy_(torch.log((counts + 1) / (counts + 1).sum()))

    def base_input(self, mean: Tensor) -> Tensor:
        """The constant input, (categories + 1), that gives the shares of `mean`.

        The shares do not depend on its last entry, which is zero.
        """
        shares = (mean / mean.sum(-1, keepdim=True)).clamp_min(1e-3 / self.categories)
        return torch.cat([shares.log() - self.bias.detach(), shares.new_zeros(*shares.shape[:-1], 1)], dim=-1)

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        most = weights[:-1].amax(0) + weights[-1]
        if given.length is not None:
            length = given.length.to(most)
            return torch.maximum(most * length.min(), most * length.max())
        return torch.where(most > 0, math.inf, 0.0)

    def arguments(self) -> dict[str, object]:
        return {"categories": self.categories}


def _check_whole(given: Given) -> None:
    """Raises a ValueError for a mask with gaps among the words: a count can be neither absent nor missing."""
    for mask, whole in ((given.present, True), (given.missing, False)):
        if mask is not None and not bool((mask.bool() == whole).all()):
            raise ValueError("the word counts of a document have no gaps: leave ReplicatedSoftmax units out of the mask, or drop the words")

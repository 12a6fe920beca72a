"""Mixtures of diagonal Gaussians, one mixture for each state, and the parts of their EM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

NEGLIGIBLE = 1e-8  # of a frame: a smaller share is left out


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over frames that the next mixtures are made from, each frame weighted with its probability of a component.

    Attributes
    ----------
    counts : Tensor
        (states, components) float64.
    sums, squares : Tensor
        (states, components, dims) float64, of the features and of their squares.
    """

    counts: Tensor
    sums: Tensor
    squares: Tensor

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(self.counts + other.counts, self.sums + other.sums, self.squares + other.squares)


@dataclass(frozen=True, eq=False)
class GaussianMixtures:
    """A mixture of diagonal Gaussians for each state. Called with frames, it gives the log-likelihood of each by each state.

    Parameters
    ----------
    weights : Tensor
        (states, components), each row with sum 1. A weight may be 0.
    means, variances : Tensor
        (states, components, dims).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> mixtures = hm.sequence.GaussianMixtures(torch.ones(2, 1), torch.tensor([[[0.0]], [[2.0]]]), torch.ones(2, 1, 1))
    >>> mixtures(torch.zeros(1, 1))
    tensor([[-0.9189, -2.9189]])
    """

    weights: Tensor
    means: Tensor
    variances: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """(frames, states) log-likelihoods of features, (frames, dims)."""
        return self.joint(features).logsumexp(2)

    def joint(self, features: Tensor) -> Tensor:
        """(frames, states, components): log-likelihoods of each component, weights included."""
        states, components, dims = self.means.shape
        precision = 1 / self.variances
        linear = self.means * precision
        logarithms = self.variances.log().sum(2) + dims * math.log(2 * math.pi)
        constant = self.weights.log() - 0.5 * (logarithms + (linear * self.means).sum(2))
        both = torch.cat([linear, -0.5 * precision], 2).reshape(states * components, 2 * dims)
        found = torch.cat([features, features.square()], 1) @ both.T
        return found.view(-1, states, components) + constant

    def statistics(self, features: Tensor, occupancy: Tensor) -> Statistics:
        """The sums over frames, each shared out among the components of its states.

        Parameters
        ----------
        features : Tensor
            (frames, dims).
        occupancy : Tensor
            (frames, states), the probability that a frame is in a state.
        """
        shape = self.means.shape
        counts, sums, squares = (torch.zeros(size, dtype=torch.float64) for size in (shape[:2], shape, shape))
        for state in range(shape[0]):
            there = (occupancy[:, state] > NEGLIGIBLE).nonzero().squeeze(1)
            if len(there):
                seen = features[there]
                own = GaussianMixtures(self.weights[[state]], self.means[[state]], self.variances[[state]])
                share = own.joint(seen)[:, 0].softmax(1).double() * occupancy[there, state, None]
                counts[state] = share.sum(0)
                sums[state] = share.T @ seen.double()
                squares[state] = share.T @ seen.double().square()
        return Statistics(counts, sums, squares)

    def learnt(self, found: Statistics, floor: Tensor) -> GaussianMixtures:
        """The mixtures of highest likelihood, given the statistics. What no frame is in stays as it is.

        Parameters
        ----------
        found : Statistics
            Of these mixtures.
        floor : Tensor
            (dims,), below which no variance falls.
        """
        counts, like = found.counts[:, :, None], self.means
        seen = counts > NEGLIGIBLE
        safe = counts.clamp_min(NEGLIGIBLE)
        means = found.sums / safe
        variances = torch.maximum(found.squares / safe - means.square(), floor.double())
        total = found.counts.sum(1, keepdim=True)
        weights = torch.where(total > NEGLIGIBLE, found.counts / total.clamp_min(NEGLIGIBLE), self.weights)
        return GaussianMixtures(
            weights.to(like), torch.where(seen, means, like).to(like), torch.where(seen, variances, self.variances).to(like)
        )

    def split(self, counts: Tensor, *, least: float = 40.0, apart: float = 0.2) -> GaussianMixtures:
        """Twice as many components: each is divided into two, whose means lie a part of its standard deviations to either side.

        Parameters
        ----------
        counts : Tensor
            (states, components), frames of each component.
        least : float, default 40
            A component with fewer frames is not divided: its second half has weight 0.
        apart : float, default 0.2
            Standard deviations between the old mean and each new one.
        """
        enough = counts >= least
        move = apart * self.variances.sqrt() * enough[:, :, None]
        half = torch.where(enough, self.weights / 2, 0.0)
        return GaussianMixtures(
            torch.cat([self.weights - half, half], 1),
            torch.cat([self.means - move, self.means + move], 1),
            torch.cat([self.variances, self.variances], 1),
        )

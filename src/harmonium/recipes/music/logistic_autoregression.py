"""Logistic autoregression: each note of a frame by a logistic regression on the frames before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class LogisticAutoregression(NamedTuple):
    """p(note i sounds in frame t) = σ(w_i · the last n frames + b_i), independent of the other notes of the frame.

    Attributes
    ----------
    past : int
        n, the number of frames that it sees; before a piece there is silence.
    weights : Tensor
        (n · notes, notes), oldest frame first.
    bias : Tensor
        (notes,).
    """

    past: int
    weights: Tensor
    bias: Tensor

    def nats(self, frames: Tensor, contexts: Tensor) -> Tensor:
        """log p of each frame given its past: (steps,) float64."""
        logits = contexts.float() @ self.weights + self.bias
        return -F.binary_cross_entropy_with_logits(logits, frames.float(), reduction="none").sum(1).double()


def with_past(piece: Tensor, past: int) -> Tensor:
    """The `past` frames before each frame of a piece (time, notes), oldest first, with silence before the first: (time, past · notes)."""
    padded = torch.cat([piece.new_zeros(past, piece.shape[1]), piece])
    return torch.stack([padded[start : start + len(piece)] for start in range(past)], dim=1).flatten(1)


def fit_logistic(pieces: Sequence[Tensor], past: int, penalty: float, iterations: int = 30) -> LogisticAutoregression:
    """The least of the mean negative log-likelihood plus penalty / 2 · |weights|², by L-BFGS.

    Parameters
    ----------
    pieces
        (time, notes) each, zeros and ones.
    past
        n.
    penalty
        Of the squared weights.
    iterations
        At most so many.
    """
    frames = torch.cat([piece.float() for piece in pieces])
    contexts = torch.cat([with_past(piece, past) for piece in pieces]).float()
    rates = (frames.sum(0) + 1) / (len(frames) + 2)
    weights = torch.zeros(contexts.shape[1], frames.shape[1], requires_grad=True)
    bias = torch.logit(rates).clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=iterations, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (
            F.binary_cross_entropy_with_logits(contexts @ weights + bias, frames) * frames.shape[1] + penalty / 2 * weights.square().sum()
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return LogisticAutoregression(past, weights.detach(), bias.detach())

"""Nets in place of mixtures: scaled likelihoods of their posteriors (Bourlard & Morgan 1994)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def state_log_priors(states: Sequence[Tensor], count: int) -> Tensor:
    """How probable each state is, by counting.

    Parameters
    ----------
    states : sequence of Tensor
        (frames,) int64 of each utterance: the targets, as `align` gives them.
    count : int
        Number of states.

    Returns
    -------
    Tensor
        (states,) natural logarithms. Every state is counted once more than it occurs.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hm.sequence.state_log_priors([torch.tensor([0, 0, 1])], 2).exp()
    tensor([0.6000, 0.4000])
    """
    counts = torch.bincount(torch.cat(list(states)), minlength=count) + 1.0
    return (counts / counts.sum()).log()


def scaled_log_likelihoods(logits: Tensor, log_priors: Tensor) -> Tensor:
    """What a net's outputs say of the frames, as scores for `align` and `decode`.

    Parameters
    ----------
    logits : Tensor
        (frames, states), unnormalised log-posteriors.
    log_priors : Tensor
        (states,), of the targets that the net has learnt.

    Returns
    -------
    Tensor
        (frames, states): log p(state | frame) - log p(state), which is log p(frame | state) but for a number that all states of a frame
        have in common.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hm.sequence.scaled_log_likelihoods(torch.zeros(1, 2), torch.tensor([0.8, 0.2]).log()).exp()
    tensor([[0.6250, 2.5000]])
    """
    return logits.log_softmax(1) - log_priors

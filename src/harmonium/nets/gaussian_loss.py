"""The loss of a regression whose noise is learnt."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean negative log-likelihood of real targets, for a net that gives the mean and the log-variance of each.

    It is a loss for `fine_tune`, of a net with twice as many outputs as targets: `feed_forward(model, 2 * targets)`.

    Parameters
    ----------
    outputs : Tensor
        (cases, 2 x targets): all means, then all log-variances.
    targets : Tensor
        (cases, targets).

    Returns
    -------
    Tensor
        The mean over the cases, in nats; of a case, the sum over its targets.

    Raises
    ------
    ValueError
        For another number of outputs.

    Notes
    -----
    Σ ½ log 2π + ½ s + ½ (y - m)² exp(-s), with the mean m and the log-variance s.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.nets.feed_forward(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), 2)
    >>> state = hm.fine_tune(net, torch.eye(6), torch.ones(6, 1), loss=hm.nets.gaussian_loss, epochs=2, progress=False)
    >>> mean, log_variance = hm.predict(net, torch.eye(6)).chunk(2, dim=1)
    >>> mean.shape
    torch.Size([6, 1])
    """
    if targets.dim() != 2 or outputs.shape[-1] != 2 * targets.shape[-1]:
        shapes = f"targets of shape {tuple(targets.shape)} and {outputs.shape[-1]} outputs"
        raise ValueError(f"expected targets of shape (cases, targets), and a mean and a log-variance of each as outputs, found {shapes}")
    mean, log_variance = outputs.chunk(2, dim=-1)
    each = 0.5 * (math.log(2 * math.pi) + log_variance + (targets - mean).square() * torch.exp(-log_variance))
    return each.sum(-1).mean()

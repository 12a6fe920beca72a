"""A metric learnt from pairs: the distance between two feature vectors, small for pairs of the same and large for others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEEPNESS = 2.77  # of the loss of a pair of two, in bounds


class Distance(nn.Module):
    """The last module of a siamese net that learns a metric: how far two feature vectors are apart.

    It maps (..., 2, features) to (...), the sum of the absolute differences.

    Notes
    -----
    Chopra, Hadsell & LeCun (2005). It has no parameters; `contrastive_loss` is the loss that it learns by.

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import Distance
    >>> Distance()(torch.tensor([[[3.0, 4.0], [0.0, 5.0]]]))
    tensor([4.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return (input[..., 0, :] - input[..., 1, :]).abs().sum(-1)


def contrastive_loss(distance: Tensor, same: Tensor, *, bound: float) -> Tensor:
    """The mean loss of pairs: it grows with the distance of two of the same, and falls with that of two others.

    Parameters
    ----------
    distance : Tensor
        E, (cases,), from 0 to `bound`, as `Distance` gives it.
    same : Tensor
        (cases,) of numbers, 1 for a pair of the same and 0 for another. `hm.fine_tune` takes them as floats: `same.float()`.
    bound : float
        Q, the largest distance that there can be: twice the number of features, where they are between -1 and 1.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    ValueError
        For a bound that is not positive.

    Notes
    -----
        2 E² / Q for a pair of the same, and 2 Q exp(-2.77 E / Q) for another

    Chopra, Hadsell & LeCun, "Learning a similarity metric discriminatively, with application to face verification" (CVPR 2005).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from functools import partial
    >>> pairs = hm.nets.Visible(hm.Gaussian(6), leading=(2,))
    >>> net = torch.nn.Sequential(pairs, torch.nn.Linear(6, 4), torch.nn.Tanh(), hm.nets.Distance())
    >>> loss = partial(hm.nets.contrastive_loss, bound=8.0)
    >>> state = hm.fine_tune(net, torch.eye(6).reshape(3, 2, 6), torch.tensor([0.0, 1.0, 0.0]), loss=loss, epochs=2, progress=False)
    >>> hm.predict(net, torch.eye(6).reshape(3, 2, 6)).shape
    torch.Size([3])
    """
    if not bound > 0:
        raise ValueError(f"the bound of the distances must be above 0, found {bound}: twice the number of features where these end at ±1")
    together, apart = 2 * distance.square() / bound, 2 * bound * torch.exp(-STEEPNESS * distance / bound)
    return (same * together + (1 - same) * apart).mean()

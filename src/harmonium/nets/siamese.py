"""Siamese nets: do two images show the same?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harmonium.couplings import Dense, LowRank
from harmonium.models import DBN, RBM
from harmonium.nets.hidden_layers import hidden_layers
from harmonium.nets.visible import after_visible


class SameOrDifferent(nn.Module):
    """The last module of a siamese net: from two feature vectors to whether they are of the same.

    It maps (..., 2, features) to (..., 2) unnormalised log-probabilities, 0 of "different" (class 0) and w d + b of "same" (class 1). d is
    the cosine of the angle between the two vectors, and 0 if one of them is zero. So P(same) = σ(w d + b), which the softmax of the outputs
    gives.

    Attributes
    ----------
    weight, bias : torch.nn.Parameter
        The scalars w and b, 1 and 0 before learning.

    Notes
    -----
    Nair & Hinton (2010).

    Examples
    --------
    >>> import torch
    >>> from harmonium.nets import SameOrDifferent
    >>> SameOrDifferent()(torch.tensor([[3.0, 4.0], [30.0, 40.0]])).detach()
    tensor([0., 1.])
    """

    out_features: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, input: Tensor) -> Tensor:
        cosine = F.cosine_similarity(input[..., 0, :], input[..., 1, :], dim=-1)
        same = self.weight * cosine + self.bias
        return torch.stack([torch.zeros_like(same), same], dim=-1)


@torch.no_grad()
def siamese(stack: DBN | RBM, *, biases: bool = True) -> nn.Sequential:
    """A net that says whether two images show the same: one feature extractor for both, and the cosine between what it finds.

    The result is plain `torch.nn` with copies of the recognition weights, but for its last module, `SameOrDifferent`. Its inputs are pairs,
    (cases, 2, visible), and its classes are 0 for different and 1 for the same: `hm.fine_tune(net, pairs, same)` trains it, the last module
    alone at first, and `hm.predict(net, pairs).softmax(1)[:, 1]` gives the probabilities. `net[:-1](pairs)` gives the features.

    Parameters
    ----------
    stack : DBN or RBM
        The trained layers. Label units beside the visible layer of the top RBM are left out, as if none of them were on.
    biases : bool, default True
        False leaves the hidden biases out. Rectified features are then multiplied by what an image is multiplied by: contrast does not
        change the probabilities. A stack learns so with hidden biases held at zero: `rbm.hidden.bias.requires_grad_(False)`.

    Returns
    -------
    torch.nn.Sequential
        Maps (cases, 2, visible) to (cases, 2) unnormalised log-probabilities.

    Raises
    ------
    TypeError
        For anything but a stack, for couplings that are neither dense nor of low rank, and for hidden units without a feed-forward mean.

    Notes
    -----
    Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines" (ICML 2010): faces of the same person or of two.
    `fine_tune(max_norm=)` bounds all layers but the highest.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Gaussian(6, variance=1.0), hm.NoisyReLU(4))
    >>> net, pairs = hm.nets.siamese(rbm, biases=False), torch.eye(6).reshape(3, 2, 6)
    >>> state = hm.fine_tune(net, pairs, torch.tensor([0, 1, 0]), epochs=2, progress=False)
    >>> hm.predict(net, pairs).softmax(1)[:, 1].shape
    torch.Size([3])
    """
    if not isinstance(stack, DBN | RBM):
        raise TypeError(f"a siamese net is made from an hm.DBN or an hm.RBM, found {type(stack).__name__}")
    for rbm in stack.rbms if isinstance(stack, DBN) else [stack]:
        if not isinstance(rbm.coupling, Dense | LowRank):
            raise TypeError(f"a siamese net is made from dense and low-rank couplings, found {type(rbm.coupling).__name__}")
    visible, layers, _ = hidden_layers(stack)
    modules = [module for layer in layers for module in layer.modules]
    if not biases:
        for module in modules:
            if isinstance(module, nn.Linear):
                module.register_parameter("bias", None)
    like = next(parameter for parameter in stack.parameters() if parameter.dim() > 1)
    return after_visible(visible, *modules, SameOrDifferent().to(like), leading=(2,))

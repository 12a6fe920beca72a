"""Feed-forward nets made from a deep belief net."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from harmonium.couplings import Dense
from harmonium.models import DBN
from harmonium.nets.dropout import Dropout
from harmonium.nets.visible import after_visible
from harmonium.units import Bernoulli, Gaussian, NoisyReLU, Spin, SteppedSigmoid, TruncatedGaussian, Unit


def activation(unit: Unit) -> nn.Module:
    """The function from a layer's total input to its mean; for rectified units the one without noise (Nair & Hinton 2010)."""
    if isinstance(unit, Bernoulli):
        return nn.Sigmoid()
    if isinstance(unit, Gaussian):
        return nn.Identity()
    if isinstance(unit, Spin):
        return nn.Tanh()
    if isinstance(unit, NoisyReLU | SteppedSigmoid | TruncatedGaussian):
        cap = unit.cap if isinstance(unit, NoisyReLU) else unit.copies if isinstance(unit, SteppedSigmoid) else None
        return nn.ReLU() if cap is None else nn.Hardtanh(0.0, float(cap))
    raise TypeError(f"there is no feed-forward layer for {type(unit).__name__} hidden units")


def uninitialised(inputs: int, outputs: int, like: Tensor) -> nn.Linear:
    """A linear module whose weights are not yet set: `torch.nn.Linear` itself would draw from the global seed."""
    module = nn.Linear(inputs, outputs, device="meta", dtype=like.dtype)
    return module.to_empty(device=like.device)


@torch.no_grad()
def classifier(
    dbn: DBN, classes: int, *, seed: int = 0, scale: float = 0.1, dropout: float = 0.0, input_dropout: float = 0.0
) -> nn.Sequential:
    """A feed-forward classifier with the recognition weights of a stack and a new softmax layer on top.

    The result is plain `torch.nn`: linear and activation modules with copies of the stack's weights and biases. It begins with
    `Visible(dbn.visible)`, so that bytes mean the same to the net as to the stack.

    Parameters
    ----------
    dbn : DBN
        The trained stack. Label units beside the visible layer of its top RBM are left out, as if none of them were on.
    classes : int
        The number of classes, at least two.
    seed : int
        The seed of the new weights.
    scale : float
        The standard deviation of the new weights, drawn from N(0, scale²).
    dropout, input_dropout : float
        The shares of hidden units and of inputs that are dropped in training, at least 0 and below 1.

    Returns
    -------
    torch.nn.Sequential
        Maps (cases, visible) to (cases, classes) unnormalised log-probabilities.

    Raises
    ------
    ValueError
        For fewer than two classes.
    TypeError
        For couplings that are not dense, and for hidden units without a feed-forward mean.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> net = hm.nets.classifier(hm.DBN([rbm]), classes=3)
    >>> net(torch.zeros(5, 6)).shape
    torch.Size([5, 3])
    >>> torch.equal(net[1].weight, rbm.coupling.weight.T)
    True
    """
    if classes < 2:
        raise ValueError(f"a classifier needs at least two classes, found {classes}")
    return feed_forward(dbn, classes, seed=seed, scale=scale, dropout=dropout, input_dropout=input_dropout)


@torch.no_grad()
def feed_forward(
    dbn: DBN, outputs: int, *, seed: int = 0, scale: float = 0.1, dropout: float = 0.0, input_dropout: float = 0.0
) -> nn.Sequential:
    """A feed-forward net with the recognition weights of a stack and new linear outputs on top, such as those of a regression.

    Parameters
    ----------
    dbn : DBN
        The trained stack.
    outputs : int
        The number of outputs.
    seed, scale, dropout, input_dropout
        As for `classifier`.

    Returns
    -------
    torch.nn.Sequential
        Maps (cases, visible) to (cases, outputs).

    Raises
    ------
    TypeError
        As for `classifier`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.nets.feed_forward(hm.DBN([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))]), 1)
    >>> state = hm.fine_tune(net, torch.eye(6), torch.ones(6, 1), loss=torch.nn.functional.mse_loss, epochs=2, progress=False)
    >>> hm.predict(net, torch.eye(6)).shape
    torch.Size([6, 1])
    """
    modules: list[nn.Module] = [Dropout(input_dropout)] if input_dropout else []
    width = 0
    for rbm in dbn.rbms:
        visible = dbn.penultimate if rbm is dbn.top else rbm.visible
        if not isinstance(rbm.coupling, Dense):
            raise TypeError(f"a feed-forward layer needs a dense coupling, found {type(rbm.coupling).__name__}")
        weight, module = rbm.coupling.weight, activation(rbm.hidden)
        inputs = math.prod(visible.shape)
        linear = uninitialised(inputs, weight.shape[1], weight)
        each = torch.eye(inputs, dtype=weight.dtype, device=weight.device).reshape(inputs, *visible.shape)
        seen = visible.statistic(each).flatten(1)
        linear.weight.copy_((seen @ weight[: seen.shape[1]]).T)
        linear.bias.copy_(rbm.hidden.get_parameter("bias").expand(rbm.hidden.shape).flatten())
        modules += [linear, module, *([Dropout(dropout)] if dropout else [])]
        width = weight.shape[1]
    head = uninitialised(width, outputs, weight)
    head.weight.copy_(torch.empty(outputs, width).normal_(std=scale, generator=torch.Generator().manual_seed(seed)))
    head.bias.zero_()
    return after_visible(dbn.visible, *modules, head)

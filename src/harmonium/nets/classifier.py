"""A feed-forward classifier unrolled from a deep belief net."""

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
    """The function from a layer's total input to its mean; of rectified units the one without noise (Nair & Hinton 2010)."""
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
    """A linear module whose weights are still to be set: `torch.nn.Linear` itself would draw from the global seed."""
    module = nn.Linear(inputs, outputs, device="meta", dtype=like.dtype)
    return module.to_empty(device=like.device)


@torch.no_grad()
def classifier(
    dbn: DBN, classes: int, *, seed: int = 0, scale: float = 0.1, dropout: float = 0.0, input_dropout: float = 0.0
) -> nn.Sequential:
    """Linear and activation modules with copies of a stack's recognition weights and biases, and a new softmax layer on top.

    The result is plain `torch.nn`: (cases, visible) -> (cases, classes) unnormalised log-probabilities. It begins with
    `Visible(dbn.visible)`, so that bytes mean to the net what they mean to the stack. The new weights are drawn from
    N(0, `scale`²) with `seed`. Label units beside a top RBM's visible layer are left out, none of them on. `dropout` and `input_dropout`
    are the shares of hidden units and of inputs dropped in training. TypeError for couplings that are not dense, and for hidden units
    without a feed-forward mean.
    """
    if classes < 2:
        raise ValueError(f"a classifier needs at least two classes, found {classes}")
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
    head = uninitialised(width, classes, weight)
    head.weight.copy_(torch.empty(classes, width).normal_(std=scale, generator=torch.Generator().manual_seed(seed)))
    head.bias.zero_()
    return after_visible(dbn.visible, *modules, head)

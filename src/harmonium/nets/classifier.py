"""Feed-forward nets made from trained models."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from harmonium.models import DBM, DBN, RBM
from harmonium.nets.dropout import Dropout
from harmonium.nets.hidden_layers import hidden_layers
from harmonium.nets.input_layers import linear
from harmonium.nets.leading import Leading
from harmonium.nets.visible import after_visible


@torch.no_grad()
def classifier(
    model: RBM | DBN | DBM, classes: int, *, seed: int = 0, scale: float = 0.1, dropout: float = 0.0, input_dropout: float = 0.0
) -> nn.Sequential:
    """A feed-forward classifier with the recognition weights of a model and a new softmax layer on top.

    The result is plain `torch.nn`: linear, convolutional and activation modules with copies of the model's weights and biases. It begins
    with `Visible(model.visible)`, so that bytes mean the same to the net as to the model.

    Parameters
    ----------
    model : RBM, DBN or DBM
        The trained model, with dense, low-rank or convolutional couplings. Label units beside the visible layer of a stack's top RBM are
        left out, as if none of them were on. The net of a deep Boltzmann machine takes `dbm_inputs(dbm, data)`.
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
        For other models and couplings, and for hidden units without a feed-forward mean.

    Notes
    -----
    *Dropout.* Hinton et al. (2012) scale pre-trained weights by 1 / (1 - p) for training, and use the mean net, with weights times
    1 - p, for tests. `Dropout` scales the units that it keeps by 1 / (1 - p), so that these weights W are used for both: it is the same
    function in training, with theirs W / (1 - p), and the same net in tests. A gradient step on theirs at a rate ε is one on W at the rate
    (1 - p)² ε. So for p = 0.5 their rate of 1.0 is 0.25 here, and for inputs with p = 0.2 it is 0.64; rates of biases are the same. A bound
    on the norm of their weights, `max_norm`, is 1 - p times as large here.

    *Deep Boltzmann machines* (Salakhutdinov & Hinton 2009). The activations of the net of v and q(h2 | v) are one update of each hidden
    layer's mean field.

    *Convolutional layers* of `PooledBlocks` give the probabilities of the pooled units to the next layer, as the stack does.

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
    return feed_forward(model, classes, seed=seed, scale=scale, dropout=dropout, input_dropout=input_dropout)


@torch.no_grad()
def feed_forward(
    model: RBM | DBN | DBM, outputs: int, *, seed: int = 0, scale: float = 0.1, dropout: float = 0.0, input_dropout: float = 0.0
) -> nn.Sequential:
    """A feed-forward net with the recognition weights of a model and new linear outputs on top, such as those of a regression.

    Parameters
    ----------
    model : RBM, DBN or DBM
        The trained model.
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
    visible, layers, width = hidden_layers(model)
    modules: list[nn.Module] = [Dropout(input_dropout)] if input_dropout else []
    for layer in layers:
        found = [*layer.modules, *([Dropout(dropout)] if dropout else [])]
        modules += found if layer.takes is None else [Leading(layer.takes, *found)]
    like = next(parameter for parameter in model.parameters() if parameter.dim() > 1)
    weight = torch.empty(outputs, width).normal_(std=scale, generator=torch.Generator().manual_seed(seed))
    head = linear(weight.T.to(like), like.new_zeros(outputs))
    return after_visible(visible, *without_detours(modules), head)


def without_detours(modules: list[nn.Module]) -> list[nn.Module]:
    """The modules without those that flatten maps for a next one that needs them as they were."""
    pairs = itertools.pairwise(modules)
    turns = [place for place, (one, other) in enumerate(pairs) if isinstance(one, nn.Flatten) and isinstance(other, nn.Unflatten)]
    left_out = {place + step for place in turns for step in (0, 1)}
    return [module for place, module in enumerate(modules) if place not in left_out]

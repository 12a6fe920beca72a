"""Deep autoencoders unrolled from a stack."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.couplings import Coupling, Dense, LowRank
from harmonium.data.tables import as_tensor
from harmonium.models import DBN, RBM
from harmonium.nets.activations import activation
from harmonium.nets.classifier import feed_forward
from harmonium.nets.input_layers import linear
from harmonium.nets.reconstruction import ReconstructionLoss, means_of, parts_of
from harmonium.nets.visible import visible_of
from harmonium.units import Unit
from harmonium.units.groups import leaves


class Autoencoder(nn.Module):
    """An encoder, from data to a code, and a decoder, from a code to the total inputs of the visible units.

    Called, it gives what its `loss` takes, (cases, units). `hm.predict(net, data)` gives the same and `hm.predict(net.encoder, data)` the
    codes, a block at a time.

    Parameters
    ----------
    encoder : torch.nn.Module
        Maps data, (cases, units), to codes, (cases, size). It begins with a `Visible`, which says what the data mean.
    decoder : torch.nn.Module
        Maps codes to the total inputs of the visible units, biases included: the logits of binary units, the means of Gaussian ones.

    Raises
    ------
    ValueError
        For an encoder without a `Visible`.
    TypeError
        For visible units of a kind that has no loss.

    Notes
    -----
    Hinton & Salakhutdinov (2006), doi:10.1126/science.1127647.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.nets.autoencoder(hm.DBN([hm.RBM(6, 4), hm.RBM(4, hm.Gaussian(2))]))
    >>> x = torch.eye(6)
    >>> state = hm.fine_tune(net, x, x, loss=net.loss, epochs=2, progress=False)
    >>> net.encode(x).shape, net.reconstruct(x).shape
    (torch.Size([6, 2]), torch.Size([6, 6]))
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        seen = visible_of(encoder)
        if seen is None:
            raise ValueError(
                "the encoder of an autoencoder begins with harmonium.nets.Visible(units), which says what its data mean and how well they "
                f"are reconstructed, found {type(encoder).__name__} without one"
            )
        parts_of(seen.unit)
        self.encoder, self.decoder = encoder, decoder

    @property
    def visible(self) -> Unit:
        """The visible units, a copy of those of the stack: what they say about data holds, and their parameters are not used."""
        seen = visible_of(self.encoder)
        assert seen is not None
        return seen.unit

    @property
    def loss(self) -> ReconstructionLoss:
        """The loss that the visible units ask for: cross-entropy, multinomial or squared error."""
        return ReconstructionLoss(self.visible)

    @property
    def squared_error(self) -> ReconstructionLoss:
        """The squared error of the means, summed over the units: a function of (outputs, targets), as `loss` is."""
        return ReconstructionLoss(self.visible, squared=True)

    def encode(self, data: Any) -> Tensor:
        """The codes of data, (cases, units), a tensor, array or frame: (cases, size)."""
        seen = visible_of(self.encoder)
        assert seen is not None
        if not isinstance(data, Tensor):
            data = as_tensor(data)
            seen.check(data)
            data = seen.states(data)
        found: Tensor = self.encoder(data)
        return found

    def decode(self, code: Any) -> Tensor:
        """The means of the visible units for codes, (cases, size): (cases, units); for documents the probability of each word."""
        if not isinstance(code, Tensor):
            code = as_tensor(code).to(next(self.parameters()))
        return means_of(self.visible, self.decoder(code))

    def reconstruct(self, data: Any) -> Tensor:
        """What comes back from the codes of data, as means: (cases, units)."""
        return self.decode(self.encode(data))

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(input))
        return found


@torch.no_grad()
def autoencoder(stack: DBN | RBM) -> Autoencoder:
    """A deep autoencoder that begins as a stack: up by its recognition weights, and down again by their transposes.

    The result is plain `torch.nn`, linear and activation modules with copies of the stack's weights: the encoder with the hidden biases of
    each layer, the decoder with the visible ones. The highest hidden layer is the code: a linear one for `Gaussian` units, and between 0
    and 1 for `Bernoulli` units. Down an untied net go its generative weights. Before any learning the net reconstructs data as the stack
    does by means, so that one of a single RBM gives its one-step reconstruction.

    Parameters
    ----------
    stack : DBN or RBM
        The trained layers. Label units beside the visible layer of the top RBM are left out, as if none of them were on.

    Returns
    -------
    Autoencoder
        With an `encoder`, a `decoder` and a `loss`. `hm.fine_tune(net, data, data, loss=net.loss)` trains it.

    Raises
    ------
    TypeError
        For anything but a stack, for couplings that are neither dense nor of low rank, for hidden units without a feed-forward mean, and
        for visible units without a loss.

    Notes
    -----
    Hinton & Salakhutdinov (2006), doi:10.1126/science.1127647.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> net, v = hm.nets.autoencoder(rbm), torch.eye(6)
    >>> torch.allclose(net.reconstruct(v), rbm.visible_mean(rbm.hidden_mean(v)))
    True
    """
    if not isinstance(stack, DBN | RBM):
        raise TypeError(f"an autoencoder is unrolled from an hm.DBN or an hm.RBM, found {type(stack).__name__}")
    stack = DBN([stack]) if isinstance(stack, RBM) else stack
    parts_of(stack.visible)  # which refuses units without a loss
    encoder = feed_forward(stack, 1)[:-1]  # without the new outputs
    top = downward(stack.penultimate, stack.top.coupling, stack.top.hidden)
    below = list(stack.downwards())
    between = [activation(unit) for unit in [stack.penultimate, *(layer.unit for layer in below)][:-1]]  # none for the data
    lower = [downward(layer.unit, layer.coupling, layer.neighbour) for layer in below]
    return Autoencoder(
        encoder, nn.Sequential(top, *chain.from_iterable([*means, step] for means, step in zip(between, lower, strict=True)))
    )


def downward(visible: Unit, coupling: Coupling, hidden: Unit) -> nn.Linear:
    """The total inputs of visible units, biases included, as a linear function of the states of a hidden layer."""
    if not isinstance(coupling, Dense | LowRank):
        raise TypeError(f"an autoencoder is unrolled from dense and low-rank couplings, found {type(coupling).__name__}")
    units, like = math.prod(hidden.shape), hidden.zero_input()
    each = torch.eye(units, dtype=like.dtype, device=like.device).reshape(units, *hidden.shape)
    inputs = coupling.to_visible(hidden.statistic(each)).flatten(1)  # also of label units, and of documents' lengths
    parts = [(inputs[:, start : start + math.prod(leaf.shape)], leaf) for start, _, leaf in leaves(visible)]
    biases = [leaf.get_parameter("bias").expand(leaf.shape).flatten() for _, leaf in parts]
    return linear(torch.cat([part for part, _ in parts], dim=1), torch.cat(biases))

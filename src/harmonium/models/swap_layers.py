"""An RBM with its two layers exchanged."""

from __future__ import annotations

import copy

import torch

from harmonium.couplings import Dense, Transposed
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli, Unit


@torch.no_grad()
def swap_layers(rbm: RBM, *, extra: int = 0, scale: float = 0.01, seed: int = 0) -> RBM:
    """The machine whose visible layer is the hidden layer of `rbm`, with the same joint distribution.

    Its weights are transposed copies.

    Parameters
    ----------
    rbm : RBM
        The machine.
    extra : int, default 0
        Additional hidden units, of a Bernoulli layer.
    scale : float, default 0.01
        Standard deviation of the additional weights, which are drawn from N(0, scale²). Small ones hardly change the distribution.
    seed : int, default 0
        The seed of that draw.

    Returns
    -------
    RBM
        A new machine.

    Raises
    ------
    ValueError
        For documents, and for extra units if the layer is not a flat Bernoulli one or the coupling is not `Dense`.

    Notes
    -----
    Placed above `rbm`, the machine is the second layer of the infinite directed net with tied weights. The belief net of the two has
    exactly the p(v) of `rbm`, and its variational bound is tight. Learning the upper machine from samples of p(h | v) then raises the bound
    (Hinton, Osindero & Teh 2006, section 4).

    Examples
    --------
    >>> import harmonium as hm
    >>> from harmonium.models import swap_layers
    >>> above = swap_layers(hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)), extra=2)
    >>> above.visible.shape, above.hidden.shape
    ((4,), (8,))
    """
    if rbm.visible.scales_hidden_bias:
        raise ValueError(f"the layers of this machine cannot be swapped, because documents cannot be a hidden layer: found {rbm.visible}")
    visible, hidden = copy.deepcopy(rbm.hidden), copy.deepcopy(rbm.visible)
    if not isinstance(rbm.coupling, Dense):
        if extra:
            raise ValueError(f"extra units need a dense coupling, found {rbm.coupling}")
        return RBM(visible, hidden, Transposed(copy.deepcopy(rbm.coupling)))
    if extra:
        hidden = _with(hidden, extra)
    coupling = Dense(visible.statistic_shape, hidden.statistic_shape, scale=scale, seed=seed).to(rbm.coupling.weight)
    coupling.weight[:, : rbm.coupling.weight.shape[0]] = rbm.coupling.weight.T
    return RBM(visible, hidden, coupling)


def _with(unit: Unit, extra: int) -> Bernoulli:
    """A Bernoulli layer with additional units, whose biases are zero."""
    if type(unit) is not Bernoulli or len(unit.shape) != 1 or unit.bias_shape != unit.shape or extra < 0:
        raise ValueError(f"extra units need a flat Bernoulli layer with one bias per unit, found {extra} for {unit}")
    larger = Bernoulli(unit.shape[0] + extra).to(unit.bias)
    larger.bias[: unit.shape[0]] = unit.bias
    return larger

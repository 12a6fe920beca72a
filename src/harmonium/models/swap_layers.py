"""An RBM turned upside down."""

from __future__ import annotations

import copy

import torch

from harmonium.couplings import Dense, Transposed
from harmonium.models.rbm import RBM
from harmonium.units import Bernoulli, Unit


@torch.no_grad()
def swap_layers(rbm: RBM, *, extra: int = 0, scale: float = 0.01, seed: int = 0) -> RBM:
    """The machine whose visible layer is `rbm`'s hidden one: the same joint distribution, weights transposed and copied.

    On top of `rbm` it is the second layer of the infinite directed net with tied weights, so that the belief net of the two has exactly
    p(v) of `rbm`, and its variational bound is tight; learning it from samples of p(h | v) then raises the bound (Hinton, Osindero & Teh
    2006, section 4). `extra`: as many hidden units more, of a Bernoulli layer, with weights from N(0, `scale`²) drawn with `seed`: small
    ones hardly change the distribution. ValueError for documents, and for extra units of other layers or couplings than `Dense`.
    """
    if rbm.visible.scales_hidden_bias:
        raise ValueError(
            f"turning takes a machine whose layers are alike in kind, and documents can be no hidden layer: found {rbm.visible}"
        )
    visible, hidden = copy.deepcopy(rbm.hidden), copy.deepcopy(rbm.visible)
    if not isinstance(rbm.coupling, Dense):
        if extra:
            raise ValueError(f"extra units are joined by a dense coupling, found {rbm.coupling}")
        return RBM(visible, hidden, Transposed(copy.deepcopy(rbm.coupling)))
    if extra:
        hidden = _with(hidden, extra)
    coupling = Dense(visible.statistic_shape, hidden.statistic_shape, scale=scale, seed=seed).to(rbm.coupling.weight)
    coupling.weight[:, : rbm.coupling.weight.shape[0]] = rbm.coupling.weight.T
    return RBM(visible, hidden, coupling)


def _with(unit: Unit, extra: int) -> Bernoulli:
    """A Bernoulli layer with more units, whose biases are zero."""
    if type(unit) is not Bernoulli or len(unit.shape) != 1 or unit.bias_shape != unit.shape or extra < 0:
        raise ValueError(f"extra units are of a flat Bernoulli layer with a bias each, found {extra} for {unit}")
    larger = Bernoulli(unit.shape[0] + extra).to(unit.bias)
    larger.bias[: unit.shape[0]] = unit.bias
    return larger

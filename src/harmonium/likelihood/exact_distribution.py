"""The distribution of a model small enough to see whole, as a table, and how far a table is from factorial."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.exact_transition import conditional_table
from harmonium.models import DBN, RBM, label_free_energy
from harmonium.models.enumerate_states import enumerate_states
from harmonium.units import Unit
from harmonium.units.unit import no_joint

MOST_STATES = 2**20
MOST_PAIRS = 2**25


class Distribution(NamedTuple):
    """A layer's states, (states, *shape), and the probability of each, (states,) float64."""

    states: Tensor
    p: Tensor


def exact_distribution(model: RBM | DBN, layer: int = 0) -> Distribution:
    """p of all states of a layer: of the data's (0), or of the one that is `layer` above it.

    A net's top RBM is listed and its distribution sent down through the directed layers, p(x) = Σ_y p(y) p(x | y), table by table. Of an
    RBM the layers are 0 and 1 (of a deep Boltzmann machine's `joint` all even layers side by side, and all odd ones). Labels beside a net's
    top layer are summed out. In the model's own type, sums in float64; differentiable in the parameters. ValueError for a layer that is
    not there or whose states cannot be listed, more than 2^20 states or 2^25 pairs of neighbouring layers' states, and pooled layers
    between machines; TypeError where a layer has no energy.
    """
    directed = list(model.downwards()) if isinstance(model, DBN) else []
    top = model.top if isinstance(model, DBN) else model
    if not 0 <= layer <= len(directed) + 1:
        raise ValueError(f"the layers of this model are 0, the data's, to {len(directed) + 1}, found layer={layer}")
    top.check_normalisable()
    if layer == len(directed) + 1:
        states = _listed(top.hidden)
        return Distribution(states, (-top.hidden_free_energy(states)).double().softmax(0))
    if isinstance(model, DBN) and model.labels is not None:
        states = _listed(model.penultimate)
        log_p = torch.logsumexp(-label_free_energy(top, states).double(), dim=-1)
    else:
        states = _listed(top.visible)
        log_p = -top.free_energy(states).double()
    p = log_p.softmax(0)
    for below in directed[: len(directed) - layer]:
        upper, states = states, _listed(below.unit)
        if below.neighbour.output_shape != below.neighbour.shape:
            raise ValueError(
                f"which unit of a pooled block is on belongs to neither machine that shares the layer: found {below.neighbour}"
            )
        pairs = len(upper) * len(states)
        if pairs > MOST_PAIRS:
            raise ValueError(
                f"a table of p(x | y) has at most 2^25 pairs of states, and a layer of this net needs 2^{math.log2(pairs):.0f}"
            )
        p = p @ conditional_table(below.unit, states, below.input(upper)).double()
    return Distribution(states, p)


def _listed(unit: Unit) -> Tensor:
    """All states of a layer."""
    if not unit.has_joint_energy:
        raise no_joint(unit, "a distribution")
    return enumerate_states(unit, MOST_STATES, "the distribution of a layer")


def total_correlation(distribution: Distribution) -> Tensor:
    """KL(p || product of the marginals) = Σ_i H(x_i) - H(x), in nats: zero where p is factorial (Watanabe 1960).

    `p` may have leading axes, (*leading, states): as many distributions over the same states. Each number of a flattened state counts as
    one variable. (*leading), float64. ValueError where p does not fit the states.
    """
    states, p = distribution.states.flatten(1), distribution.p.double()
    if p.shape[-1:] != states.shape[:1]:
        raise ValueError(f"p must have a probability for each of {len(states)} states on its last axis, found shape {tuple(p.shape)}")
    marginals = [p @ (column[:, None] == column.unique()).double() for column in states.T]
    return torch.stack([_entropy(marginal) for marginal in marginals]).sum(0) - _entropy(p)


def _entropy(p: Tensor) -> Tensor:
    """-Σ p log p over the last axis."""
    entropy: Tensor = torch.special.entr(p).sum(-1)
    return entropy

"""The distribution of a model small enough to enumerate, as a table, and how far a table is from factorial."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.likelihood.exact_transition import conditional_table
from harmonium.models import DBN, RBM, label_free_energy
from harmonium.models.enumerate_states import enumerate_states
from harmonium.units import Unit
from harmonium.units.checks import no_joint

MOST_STATES = 2**20
MOST_PAIRS = 2**25


class Distribution(NamedTuple):
    """The states of a layer and their probabilities.

    Parameters
    ----------
    states : Tensor
        All states, (states, *shape).
    p : Tensor
        Probability of each state, (states,), float64.

    Examples
    --------
    >>> import harmonium as hm
    >>> found = hm.likelihood.exact_distribution(hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2)))
    >>> (found.p @ found.states.double()).shape  # the mean
    torch.Size([3])
    """

    states: Tensor
    p: Tensor


def exact_distribution(model: RBM | DBN, layer: int = 0) -> Distribution:
    """Compute the probability of every state of a layer.

    The result is differentiable in the parameters.

    Parameters
    ----------
    model : RBM or DBN
        The model. For a deep Boltzmann machine give its `joint`, whose layers are all even layers side by side and all odd ones. The labels
        beside a net's top layer are summed out.
    layer : int, default 0
        The layer, counted from the data's, 0. An RBM has the layers 0 and 1.

    Returns
    -------
    Distribution
        The states, in the model's own type, and their probabilities; sums are in float64.

    Raises
    ------
    ValueError
        If there is no such layer, if a layer has more than 2^20 states, if two neighbouring layers have more than 2^25 pairs of states, or
        if there are pooled layers between machines.
    TypeError
        If a layer has no energy.

    Notes
    -----
    A net's top RBM is enumerated. Its distribution is passed down through the directed layers, p(x) = Σ_y p(y) p(x | y), table by table.

    Examples
    --------
    >>> import harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))
    >>> states, p = hm.likelihood.exact_distribution(rbm)
    >>> states.shape, p.shape, round(p.sum().item(), 6)
    (torch.Size([8, 3]), torch.Size([8]), 1.0)
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
            raise ValueError(f"neither machine that shares a pooled layer models which unit of a block is on, found {below.neighbour}")
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
    """Compute the total correlation of a distribution, in nats: zero if p is factorial (Watanabe 1960).

    Parameters
    ----------
    distribution : Distribution
        States and probabilities. `p` may have leading axes, (*leading, states), for several distributions over the same states. Each number
        of a flattened state counts as one variable.

    Returns
    -------
    Tensor
        KL(p || product of the marginals), (*leading), float64.

    Raises
    ------
    ValueError
        If `p` does not fit the states.

    Notes
    -----
    KL(p || product of the marginals) = Σ_i H(x_i) - H(x). See Watanabe (1960), doi:10.1147/rd.41.0066.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> states = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> equal = hm.likelihood.Distribution(states, torch.tensor([0.5, 0.0, 0.0, 0.5]))
    >>> round(hm.likelihood.total_correlation(equal).item(), 4)  # log 2
    0.6931
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

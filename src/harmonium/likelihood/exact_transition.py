"""The Gibbs sampler's transition matrix, for a machine small enough to enumerate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from harmonium.models import RBM
from harmonium.models.enumerate_states import enumerate_states
from harmonium.units import Unit
from harmonium.units.checks import no_joint

MOST_PAIRS = 2**25


@dataclass(frozen=True)
class Transition:
    """One sweep of block Gibbs sampling as two stochastic matrices, whose product acts on visible states.

    Parameters
    ----------
    states : Tensor
        The visible states, (visible states, *visible.shape), in the order of the rows.
    up : Tensor
        p(h | v), (visible states, hidden states).
    down : Tensor
        p(v | h), (hidden states, visible states).
    """

    states: Tensor = field(repr=False)
    up: Tensor = field(repr=False)
    down: Tensor = field(repr=False)

    @property
    def matrix(self) -> Tensor:
        """T(v, v') = Σ_h p(h | v) p(v' | h): (visible states, visible states). Each row is a distribution."""
        return self.up @ self.down

    def after(self, p: Tensor, steps: int) -> Tensor:
        """p T^steps: the distribution after `steps` sweeps from p, (*leading, visible states)."""
        for _ in range(steps):
            p = (p @ self.up) @ self.down
        return p


def exact_transition(model: RBM) -> Transition:
    """Compute the Gibbs sampler's transition, hidden units first, by enumerating the states of both layers.

    The result is differentiable in the parameters.

    Parameters
    ----------
    model : RBM
        A machine with at most 2^25 pairs of a visible and a hidden state.

    Returns
    -------
    Transition
        p(h | v) and p(v | h) as tables, in the machine's own type.

    Raises
    ------
    ValueError
        If the states of a layer cannot be enumerated, or if there are more than 2^25 pairs of them.
    TypeError
        If a layer has no energy.

    Notes
    -----
    With p_0 the data and p_k = p_0 T^k, it gives the expectations that contrastive divergence samples. The expected update of CD-k is
    <∂E/∂θ> under p_0 minus that under p_k (Carreira-Perpiñán & Hinton 2005).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    >>> p = hm.likelihood.exact_distribution(rbm).p.float()
    >>> after = hm.likelihood.exact_transition(rbm).after(p, 1)
    >>> torch.allclose(after, p)  # the model is the stationary distribution
    True
    """
    visible, hidden = model.visible, model.hidden
    for unit, side in ((visible, "visible"), (hidden, "hidden")):
        if not unit.has_joint_energy:
            raise no_joint(unit, "the other layer's conditional")
        if unit.count == math.inf:
            raise ValueError(
                f"an exact transition lists the states of both layers, and the {side} {type(unit).__name__} has infinitely many"
            )
    if visible.count * hidden.count > MOST_PAIRS:
        raise ValueError(
            f"an exact transition lists at most 2^25 pairs of a visible and a hidden state, and this machine has "
            f"2^{math.log2(visible.count * hidden.count):.0f}"
        )
    v, h = (enumerate_states(unit, MOST_PAIRS, "an exact transition") for unit in (visible, hidden))
    return Transition(v, conditional_table(hidden, h, model.hidden_input(v)), conditional_table(visible, v, model.visible_input(h)))


def conditional_table(unit: Unit, states: Tensor, input: Tensor) -> Tensor:
    """p(states | input) of every pair, (inputs, states), for `input` of shape (inputs, *statistic_shape)."""
    log_p = input.flatten(1) @ unit.statistic(states).flatten(1).T - unit.energy(states) - unit.log_partition(input)[:, None]
    return log_p.exp()

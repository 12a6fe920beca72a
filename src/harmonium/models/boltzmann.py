"""The general Boltzmann machine."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.couplings.coupling import rows
from harmonium.models.enumerate_states import enumerate_states
from harmonium.models.shown import Shown
from harmonium.models.takes import data_layer, one_layer, takes
from harmonium.units import NOTHING, Bernoulli, Given, Groups, Spin, Unit
from harmonium.units.groups import check_distinct, leaves
from harmonium.units.sums import add_to_grad
from harmonium.units.uniform import uniform

MOST_STATES = 2**20
MOST_NUMBERS = 2**26
BLOCK = 2**22  # numbers per block of work


class BoltzmannMachine(Shown):
    """A general Boltzmann machine: binary units with symmetric connections between any two, some of the units visible.

    Hidden units are connected to one another. So neither p(h | v) nor p(v | h) is factorial. Gibbs sampling updates one unit at a time, and
    exact results are found by enumeration.

    Parameters
    ----------
    visible : Unit
        A flat layer of `Bernoulli` or `Spin` units, or `Groups` of these.
    hidden : Unit, optional
        Another such layer. Without it all units are visible.
    scale : float, default 0.01
        Standard deviation of the initial weights, which are drawn from N(0, scale²).
    seed : int, default 0
        The seed of that draw.

    Attributes
    ----------
    weight : Parameter
        (pairs,), one weight per pair of units i < j, in the order (0, 1), (0, 2), ..., (1, 2), ... `matrix()` gives it as a matrix.
    units : Unit
        All units, the visible ones first. States have the shape (*leading, units).

    Raises
    ------
    ValueError
        For layers that are not flat.
    TypeError
        For other kinds of units.

    Notes
    -----
    The energy of a state s = (v, h) is that of Ackley, Hinton & Sejnowski (1985):

        E(s) = Σ_i energy(s_i) - Σ_{i<j} w_ij s_i s_j

    Examples
    --------
    One exact gradient step on the mean of -log p:

    >>> import torch, harmonium as hm
    >>> data = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> machine = hm.BoltzmannMachine(hm.Bernoulli(3), hm.Bernoulli(2))
    >>> machine.accumulate_gradient(*machine.posterior(data), scale=1 / len(data), fresh=True)
    >>> machine.accumulate_gradient(*machine.distribution(), scale=-1)
    >>> chains = machine.start(data, generator=torch.Generator().manual_seed(0))
    >>> states = machine.gibbs(chains, steps=5, generator=torch.Generator().manual_seed(1))
    >>> tuple(states.shape), tuple(machine.weight.grad.shape)
    ((2, 5), (10,))
    """

    def __init__(self, visible: Unit, hidden: Unit | None = None, *, scale: float = 0.01, seed: int = 0) -> None:
        super().__init__()
        for unit in (visible, hidden):
            for _, _, leaf in [] if unit is None else leaves(unit):
                if not isinstance(leaf, Bernoulli | Spin):
                    raise TypeError(f"a Boltzmann machine is made of Bernoulli and Spin units, found {type(leaf).__name__}")
                if len(leaf.shape) != 1:
                    raise ValueError(f"a Boltzmann machine's layers are flat, found one of shape {leaf.shape}")
        check_distinct(*(unit for unit in (visible, hidden) if unit is not None))
        self.visible, self.hidden = visible, hidden
        self.units = visible if hidden is None else Groups(visible, hidden)
        size = self.units.shape[0]
        self.weight = nn.Parameter(torch.empty(size * (size - 1) // 2).normal_(std=scale, generator=torch.Generator().manual_seed(seed)))

    def pairs(self) -> Tensor:
        """The indices i < j of each weight: (2, pairs)."""
        size = self.units.shape[0]
        return torch.triu_indices(size, size, offset=1, device=self.weight.device)

    def matrix(self) -> Tensor:
        """The weights as a symmetric matrix with a zero diagonal: (units, units)."""
        size = self.units.shape[0]
        upper = self.weight.new_zeros(size, size).index_put(tuple(self.pairs()), self.weight)
        return upper + upper.T

    def split(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """States of all units, split into visible and hidden ones: (*leading, visible) and (*leading, hidden)."""
        size = self.visible.shape[0]
        return states[..., :size], states[..., size:]

    # Energies, in nats ----------------------------------------------------------------------------------------------------------

    @takes(states=one_layer)
    def energy(self, states: Tensor) -> Tensor:
        """E(v, h): (*leading)."""
        return self.units.energy(states) - ((states @ self.matrix()) * states).sum(-1) / 2

    @takes(v=data_layer)
    def free_energy(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """F(v) = -log Σ_h exp(-E(v, h)), by enumeration of the hidden states: (*leading).

        log p(v) = -F(v) - log Z.

        Raises
        ------
        ValueError
            For more than 2^20 hidden states, and if `given` is not None.
        """
        self.check_normalisable(given)
        if self.hidden is None:
            return self.energy(v)
        return -self._log_terms(v).logsumexp(-1)

    def _log_terms(self, v: Tensor) -> Tensor:
        """-E(v, h) of every hidden state: (*leading, hidden states)."""
        assert self.hidden is not None
        h = enumerate_states(self.hidden, MOST_STATES, "summing out a Boltzmann machine's hidden units")
        size, matrix = self.visible.shape[0], self.matrix()
        alone_v = -self.visible.energy(v) + ((v @ matrix[:size, :size]) * v).sum(-1) / 2
        alone_h = -self.hidden.energy(h) + ((h @ matrix[size:, size:]) * h).sum(-1) / 2
        return v @ matrix[:size, size:] @ h.T + alone_h + alone_v[..., None]

    def check_normalisable(self, given: Given = NOTHING) -> None:
        """Binary units always have a partition function. Raises a ValueError if anything is given, as no unit here uses it."""
        if given:
            raise ValueError("a Boltzmann machine takes no side information about cases: neither gaps nor a context")

    # By enumeration of the states ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def distribution(self) -> tuple[Tensor, Tensor]:
        """All joint states, (states, units), and their probabilities, (states,). Raises a ValueError for more than 20 units."""
        states = enumerate_states(self.units, MOST_STATES, "a Boltzmann machine's distribution")
        terms = torch.cat([-self.energy(block).double() for block in torch.split(states, max(1, BLOCK // states.shape[-1]))])
        return states, torch.softmax(terms, dim=0).to(states)

    @takes(v=data_layer)
    @torch.no_grad()
    def posterior(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """All joint states that contain each case, and their probabilities p(h | v). They are the clamped phase of exact learning.

        Parameters
        ----------
        v : Tensor
            (cases, visible), data.

        Returns
        -------
        states : Tensor
            (cases, hidden states, units).
        probability : Tensor
            (cases, hidden states).

        Raises
        ------
        ValueError
            For more than 2^20 hidden states, for more than 2^26 numbers in all, and for data that are not states of the visible units.
        """
        self.visible.check_states(v)
        v = self.visible.from_data(v, self.weight)
        if self.hidden is None:
            return v[:, None], v.new_ones(len(v), 1)
        h = enumerate_states(self.hidden, MOST_STATES, "a Boltzmann machine's posterior")
        if len(v) * len(h) * self.units.shape[0] > MOST_NUMBERS:
            raise ValueError(
                f"the posterior of {len(v)} cases by {len(h)} hidden states has over 2^26 numbers: take fewer cases at once, or sample "
                "the hidden units with gibbs(..., clamped=True)"
            )
        joined = torch.cat([v[:, None].expand(-1, len(h), -1), h.expand(len(v), -1, -1)], dim=-1)
        return joined, torch.softmax(self._log_terms(v).double(), dim=-1).to(v)

    # Sampling -------------------------------------------------------------------------------------------------------------------

    @takes(states=one_layer)
    @torch.no_grad()
    def gibbs(self, states: Tensor, *, steps: int = 1, clamped: bool = False, generator: torch.Generator) -> Tensor:
        """States after `steps` sweeps of Gibbs sampling, each unit in turn given all others.

        Parameters
        ----------
        states : Tensor
            (chains, units), the states before. They are not changed.
        steps : int, default 1
            Number of sweeps.
        clamped : bool, default False
            Keep the visible units fixed. The hidden units then converge to p(h | v).
        generator : torch.Generator
            The source of all draws.

        Returns
        -------
        Tensor
            (chains, units).

        Raises
        ------
        ValueError
            For states that do not fit the units.
        """
        self.units.check_states(states)
        states = self.units.from_data(states, self.weight).clone()
        # For both kinds the on state is 1.
        off = torch.cat([states.new_full(leaf.shape, -1.0 if isinstance(leaf, Spin) else 0.0) for _, _, leaf in leaves(self.units)])
        weight = self.matrix()
        for _ in range(steps):
            u = uniform(states.shape, states, generator)
            for unit in range(self.visible.shape[0] if clamped else 0, states.shape[-1]):
                mean = self.units.mean((states @ weight[:, unit, None]).expand_as(states))[..., unit]
                p = (mean - off[unit]) / (1 - off[unit])
                states[..., unit] = torch.where(u[..., unit] < p, 1.0, off[unit])
        return states

    @takes(v=data_layer)
    def start(self, v: Tensor, *, generator: torch.Generator) -> Tensor:
        """Initial states of chains, (cases, units): the data beside hidden units drawn from their own biases."""
        self.visible.check_states(v)
        v = self.visible.from_data(v, self.weight)
        return v if self.hidden is None else torch.cat([v, self.hidden.sample(self.hidden.zero_input(len(v)), generator=generator)], dim=-1)

    # Learning -------------------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def accumulate_gradient(self, states: Tensor, weights: Tensor | None = None, *, scale: float = 1.0, fresh: bool = False) -> None:
        """Adds scale · Σ weights · ∂E/∂θ of joint states to every parameter's `.grad`. For a weight, ∂E/∂w_ij = -s_i s_j.

        Two calls give the gradient of the mean of -log p: <s_i s_j> of the model minus <s_i s_j> of the data. The states may be enumerated,
        as here, or sampled:

            machine.accumulate_gradient(*machine.posterior(data), scale=1 / len(data), fresh=True)
            machine.accumulate_gradient(*machine.distribution(), scale=-1)

        Parameters
        ----------
        states : Tensor
            (*leading, units).
        weights : Tensor, optional
            (*leading), one per state by default.
        scale : float, default 1.0
            Factor of the sum.
        fresh : bool, default False
            Replace `.grad` instead of adding to it.
        """
        flat = rows(states, self.units.shape)
        each = None if weights is None else weights.reshape(-1)
        products = flat.T @ (flat if each is None else each[:, None] * flat)
        add_to_grad(self.weight, products[tuple(self.pairs())], scale=-scale, fresh=fresh)
        self.units.add_gradient(self.units.parameter_gradient(flat, None, each), scale=scale, fresh=fresh)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"visible": self.visible, "hidden": self.hidden}

"""The hierarchical community of experts: linear units that binary ones switch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.couplings import Dense
from harmonium.data.tables import as_tensor
from harmonium.models.community_exact import log_likelihood
from harmonium.models.community_gibbs import sweep
from harmonium.models.community_learning import Schedule, learn
from harmonium.models.community_states import CommunityStates
from harmonium.models.directed import Directed
from harmonium.models.shown import Shown
from harmonium.models.takes import data_layer, takes
from harmonium.units import Bernoulli, Gaussian, Unit


class CommunityOfExperts(Shown):
    """A directed net of linear units, each of which is switched on or off by a binary unit (Hinton, Sallans & Ghahramani 1998).

    The binary units are a sigmoid belief net. For each case they select which of the linear units take part, and these make the data, as in
    factor analysis. So a case is accounted for by a few experts, each by as much as it likes.

    Parameters
    ----------
    visible : int
        Number of visible units, which are linear and always on.
    hidden : sequence of int
        Number of experts in each hidden layer, from the data upwards: pairs of a linear unit and its gate.
    seed : int, default 0
        Seed of the weights before `fit`.

    Attributes
    ----------
    experts : ModuleList of Directed
        The linear units of each layer, from the data upwards, given the outputs of the experts above: `.unit` is Gaussian and `.coupling`
        has their weights. Visible units learn their variances; hidden ones have variance 1, because the weights can take up their scale.
    selection : ModuleList of Directed
        The gates of each hidden layer given the gates above.
    top_linear, top_gates : Gaussian, Bernoulli
        The experts of the top layer, which have biases alone.

    Raises
    ------
    ValueError
        For no hidden layer, and layers without units.

    Notes
    -----
        p(s_j = 1 | gates above) = σ(c_j + Σ_k u_jk s_k)        y_j = b_j + Σ_k w_jk s_k y_k + σ_j ε_j

    with gates s and linear units y, whose output is s_j y_j; the y of the lowest layer are the data. Given the gates all is Gaussian, but
    the posterior over the gates is not factorial. `gibbs` draws each expert in turn exactly given all others: the gate with its linear unit
    integrated out, then the linear unit. `accumulate_gradient` is the delta rule for the states that it reaches. See Hinton, Sallans &
    Ghahramani (1998), A hierarchical community of experts, in Learning in Graphical Models, 479-494.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> on = torch.rand(500, 2, generator=generator) < 0.3
    >>> rows = (on * (3 + torch.randn(500, 2, generator=generator))).repeat_interleave(2, dim=1)  # two blocks of changing intensity
    >>> rows += 0.3 * torch.randn(500, 4, generator=generator)
    >>> net = hm.CommunityOfExperts(4, [2])
    >>> before = net.log_probability(rows).mean()
    >>> history = net.fit(rows, epochs=20)
    >>> bool(net.log_probability(rows).mean() > before + 2)
    True
    """

    def __init__(self, visible: int, hidden: Sequence[int], *, seed: int = 0) -> None:
        super().__init__()
        sizes = [visible, *hidden]
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"a community has at least one visible unit, and layers of at least one expert, found {visible=} and {hidden=}"
            )
        linear = [Gaussian(visible, learn_variance=True), *(Gaussian(size, variance=1.0) for size in hidden)]
        gates = [Bernoulli(size) for size in hidden]
        self.experts = nn.ModuleList(
            Directed(below, Dense(below.shape, above.shape, scale=0.1, seed=seed + level), above, upward=False)
            for level, (below, above) in enumerate(pairwise(linear))
        )
        self.selection = nn.ModuleList(
            Directed(below, Dense(below.shape, above.shape, scale=1.0, seed=seed + level), above, upward=False)
            for level, (below, above) in enumerate(pairwise(gates))
        )
        self.top_linear, self.top_gates = linear[-1], gates[-1]
        with torch.no_grad():
            gates[0].bias.fill_(-3.0)
            for expert in linear[1:]:
                expert.bias.fill_(1.0)

    def linear_layers(self) -> list[Directed]:
        """The linear units of each layer but the top, from the data upwards, given the outputs of the experts above."""
        return [layer for layer in self.experts if isinstance(layer, Directed)]

    def gate_layers(self) -> list[Directed]:
        """The gates of each hidden layer but the top, given the gates above."""
        return [layer for layer in self.selection if isinstance(layer, Directed)]

    @property
    def visible(self) -> Unit:
        """The units of the data."""
        return self.linear_layers()[0].unit

    @property
    def hidden(self) -> list[int]:
        """Number of experts in each hidden layer."""
        return [*(layer.unit.shape[0] for layer in self.gate_layers()), self.top_gates.shape[0]]

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator) -> tuple[Tensor, CommunityStates]:
        """`count` independent samples from the top downwards: data, (count, visible), and the hidden states that made them."""
        gates = [self.top_gates.sample(self.top_gates.zero_input(count), generator=generator)]
        for layer in reversed(self.gate_layers()):
            gates.insert(0, layer(gates[0], generator))
        linear = [self.top_linear.sample(self.top_linear.zero_input(count), generator=generator)]
        for layer, gate in zip(reversed(self.linear_layers()), reversed(gates), strict=True):
            linear.insert(0, layer(gate * linear[0], generator))
        return linear[0], CommunityStates(gates, linear[1:])

    @takes(v=data_layer)
    def log_joint(self, v: Tensor, hidden: CommunityStates) -> Tensor:
        """log p(v, s, y), a density over data and linear units: (cases,) float64, in nats.

        Parameters
        ----------
        v : Tensor
            (cases, visible).
        hidden : CommunityStates
            The hidden states.
        """
        outputs = [gate * linear for gate, linear in zip(hidden.gates, hidden.linear, strict=True)]
        total = self.top_gates.log_probability(hidden.gates[-1], self.top_gates.zero_input())
        total = total + self.top_linear.log_probability(hidden.linear[-1], self.top_linear.zero_input())
        for layer, below, above in zip(self.linear_layers(), [v, *hidden.linear], outputs, strict=False):
            total = total + layer.log_probability(below, above)
        for layer, (below, above) in zip(self.gate_layers(), pairwise(hidden.gates), strict=True):
            total = total + layer.log_probability(below, above)
        return total

    @takes(v=data_layer)
    def log_probability(self, v: Tensor) -> Tensor:
        """log p(v), a density, by enumeration of the gates: (cases,) float64, in nats. Given the gates, v is Gaussian.

        Parameters
        ----------
        v : Tensor
            (cases, visible).

        Returns
        -------
        Tensor
            (cases,), differentiable. Raises a ValueError for more than 16 gates.
        """
        return log_likelihood(self, v)

    @takes(v=data_layer)
    @torch.no_grad()
    def gibbs(self, v: Tensor, hidden: CommunityStates | None = None, *, steps: int = 1, generator: torch.Generator) -> CommunityStates:
        """Hidden states after `steps` sweeps of Gibbs sampling from p(s, y | v). Each expert in turn is drawn given all others.

        Parameters
        ----------
        v : Tensor
            (cases, visible), data.
        hidden : CommunityStates, optional
            The chains' states before, which are not changed. By default samples from the prior.
        steps : int, default 1
            Number of sweeps.
        generator : torch.Generator
            The source of all draws.

        Returns
        -------
        CommunityStates
            The states.
        """
        if steps < 0:
            raise ValueError(f"Gibbs sampling takes 0 sweeps or more, found {steps=}")
        self.visible.check(v)
        hidden = self.sample(len(v), generator=generator)[1] if hidden is None else hidden
        found = CommunityStates(*([states.clone() for states in each] for each in hidden))
        for _ in range(steps):
            sweep(self, v, found, generator)
        return found

    def accumulate_gradient(
        self, v: Tensor, hidden: CommunityStates, *, weights: Tensor | None = None, scale: float = 1.0, fresh: bool = False
    ) -> Tensor:
        """Adds scale · Σ_n weights_n · ∂/∂θ [-log p(v_n, s_n, y_n)] to every parameter's `.grad`: the delta rule.

        For states from the posterior its mean is the gradient of -log p(v_n). For the weights into a linear unit i it is
        -(y_i - ŷ_i) s_j y_j / σ_i², with its mean ŷ_i given the layer above, and for those into a gate -(s_i - p_i) s_j.

        Parameters
        ----------
        v : Tensor
            (cases, visible), data.
        hidden : CommunityStates
            The hidden states, of the same cases.
        weights : Tensor, optional
            (cases,), one per case by default.
        scale : float, default 1.0
            Factor of the sum.
        fresh : bool, default False
            Replace `.grad` instead of adding to it.

        Returns
        -------
        Tensor
            (cases,) float64, log p(v, s, y).
        """
        if fresh:
            self.zero_grad(set_to_none=True)
        values = self.log_joint(v, hidden)
        (-scale * (values if weights is None else weights * values).sum()).backward()  # type: ignore[no-untyped-call]
        return values.detach()

    def fit(
        self, data: Any, *, epochs: int = 100, batch_size: int = 100, sweeps: int = 1, rate: float = 0.1, start: bool = True, seed: int = 0
    ) -> Tensor:
        """Learn by the delta rule from brief Gibbs sampling. Each case keeps its hidden states from one visit to the next.

        Parameters
        ----------
        data : Tensor, array or frame
            (cases, visible), in memory.
        epochs : int, default 100
            Visits of each case.
        batch_size : int, default 100
            Cases between two changes of the weights.
        sweeps : int, default 1
            Gibbs sweeps at each visit.
        rate : float, default 0.1
            The learning rate at first. It falls linearly to zero, while that of the gates rises from zero to it.
        start : bool, default True
            Begin with visible units that have the data's means and variances. Otherwise go on from the present parameters.
        seed : int, default 0
            Seed of the order of the cases and of all draws.

        Returns
        -------
        Tensor
            (epochs,) float64: the mean of log p(v, s, y) over the states that an epoch visited. It is noisy, and no likelihood: see
            `log_probability`.

        Raises
        ------
        ValueError
            For data that do not fit, and for settings below their least values.

        Notes
        -----
        A step is rate times the mean of (y_i - ŷ_i) s_j y_j for the weights and biases of linear units, so that it does not depend on the
        data's unit of measurement, of (s_i - p_i) s_j for those of gates, and of (v_i - v̂_i)² / σ_i² - 1 for log σ_i². The chains are not
        at equilibrium; the sampling improves a bound on the likelihood all the same, as the paper argues after Neal & Hinton (1998).

        Experts begin with gates that are seldom on and a mean state of one, which settles the sign of their weights. Gates that learn as
        fast as the rest from the beginning soon have experts that are always on, and share out the data among them as factor analysis does.

        Learning ends at a local maximum, so compare seeds by `log_probability`: on the gallery's pictures of twelve bars, three seeds gave
        12, 10 and 9 of them an expert, with -16.6, -17.7 and -24.8 nats a picture.
        """
        rows = as_tensor(data)
        self.visible.check(rows)
        if min(epochs, sweeps) < 0 or batch_size < 1 or not rate > 0:
            raise ValueError(
                f"expected epochs and sweeps of 0 or more, and others above 0, found {epochs=}, {sweeps=}, {batch_size=}, {rate=}"
            )
        rows = self.visible.from_data(rows, self.visible.zero_input())
        if start:
            self.visible.init_from(rows)
        return learn(self, rows, Schedule(epochs, batch_size, sweeps, rate), seed)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"visible": self.visible.shape[0], "hidden": self.hidden}

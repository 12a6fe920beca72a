"""The deep Boltzmann machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.couplings import Chain, Coupling
from harmonium.couplings.between import between
from harmonium.models.dbm_mean_field import MeanField, change
from harmonium.models.rbm import RBM, Phase
from harmonium.models.shown import Shown
from harmonium.models.takes import data_layer, hidden_layers, takes
from harmonium.units import NOTHING, Given, Groups, Unit
from harmonium.units.as_layer import as_layers
from harmonium.units.checks import no_joint

SETTLED = 100  # the largest number of mean-field sweeps where it should converge
TOLERANCE = 1e-5  # the mean change of a case's hidden units at which it has converged

NO_LABELS = "a deep Boltzmann machine has no labels to clamp: leave labels out"


class DBM(Shown):
    """A deep Boltzmann machine: layers of units with undirected connections between neighbours (Salakhutdinov & Hinton 2009).

    Parameters
    ----------
    layers : sequence of Unit or int
        At least two flat layers, from the data upwards, of any kinds that have an energy; a number is a layer of as many binary units.
    couplings : sequence of Coupling or None, optional
        One between each two neighbours. None stands for a dense one. All are dense by default.
    seed : int, default 0
        The dense couplings' weights are drawn with `seed`, `seed` + 1, ...

    Raises
    ------
    ValueError
        For fewer than two layers, couplings that do not fit, and documents, whose length would scale the biases of all odd layers.
    TypeError
        If a layer has no energy, or is neither units nor a number.

    Notes
    -----
    With h_0 = v, and `visible` the units of the data, the energy is

        E(v, h1, ..., hL) = Σ_l layers[l].energy(h_l) - Σ_l <s(h_l), couplings[l], s(h_{l+1})>

    The even layers are independent given the odd ones, and the reverse. So `joint` is an RBM of the even layers (v, h2, ...) and the odd
    layers (h1, h3, ...), with the same energy, Z and parameters. log Z, annealing, tempering and chains use the joint. A state of the
    hidden layers is a list [h1, ..., hL]. p(h | v) has no closed form: methods that start from data alone use `mean_field`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> dbm = hm.DBM([hm.Bernoulli(6), hm.Bernoulli(4), hm.Bernoulli(3)])
    >>> [tuple(mean.shape) for mean in dbm.hidden_mean(torch.ones(2, 6))]
    [(2, 4), (2, 3)]
    """

    def __init__(self, layers: Sequence[Unit | int], couplings: Sequence[Coupling | None] | None = None, *, seed: int = 0) -> None:
        super().__init__()
        units = as_layers(layers)
        if len(units) < 2:
            raise ValueError(f"a deep Boltzmann machine has a data layer and at least one hidden layer, found {len(units)} layers")
        for unit in units:
            if not unit.has_joint_energy:
                raise no_joint(unit, "a deep Boltzmann machine")
            if unit.scales_hidden_bias:
                raise ValueError("a document's length scales the biases of the layer above: it cannot be a layer of a deep machine")
            unit.join_machine(visible=unit is units[0])  # the joint RBM has hidden layers on its visible side too
        self.joint = RBM(Groups(*units[::2]), Groups(*units[1::2]), Chain(between(units, couplings, seed)))

    def __getattr__(self, name: str) -> Any:
        # A function that takes an RBM fails here. The message says what to give it.
        if not name.startswith("_") and (hasattr(RBM, name) or name in ("hidden", "coupling")):
            raise AttributeError(f"a deep Boltzmann machine is not an RBM and has no `{name}`: use its `joint`, the RBM of all its layers")
        return super().__getattr__(name)

    # Layers ---------------------------------------------------------------------------------------------------------------------

    @property
    def visible(self) -> Unit:
        """The units of the data."""
        return next(self.even.layers())

    @property
    def even(self) -> Groups:
        """The even layers side by side, the data's first: the joint's visible side."""
        assert isinstance(self.joint.visible, Groups)
        return self.joint.visible

    @property
    def odd(self) -> Groups:
        """The odd layers side by side: the joint's hidden side."""
        assert isinstance(self.joint.hidden, Groups)
        return self.joint.hidden

    @property
    def chain(self) -> Chain:
        """The couplings of all neighbours, as one coupling of the even layers with the odd ones."""
        assert isinstance(self.joint.coupling, Chain)
        return self.joint.coupling

    @property
    def layers(self) -> list[Unit]:
        """The units, from the data upwards."""
        found: list[Unit] = [*self.even.layers(), *self.odd.layers()]
        even = len(self.even.parts)
        return [found[number // 2 + (even if number % 2 else 0)] for number in range(len(found))]

    @property
    def couplings(self) -> list[Coupling]:
        """The couplings between neighbours, from the data upwards."""
        return self.chain.links()

    def split(self, even: Tensor, odd: Tensor) -> list[Tensor]:
        """Each layer's states from the data upwards, (*leading, units), from the joint's visible and hidden states."""
        pieces = [even] * len(self.layers)
        pieces[::2], pieces[1::2] = self.even.split(even), self.odd.split(odd)
        return pieces

    def join(self, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The joint's visible and hidden states, from each layer's states."""
        return torch.cat(list(states[::2]), dim=-1), torch.cat(list(states[1::2]), dim=-1)

    # Energies, in nats ----------------------------------------------------------------------------------------------------------

    @takes(v=data_layer, hidden=hidden_layers)
    def energy(self, v: Tensor, hidden: Sequence[Tensor]) -> Tensor:
        """E(v, h1, ..., hL): (*leading). `hidden`: each hidden layer's states."""
        return self.joint.energy(*self.join([v, *hidden]))

    def check_normalisable(self, given: Given = NOTHING) -> None:
        """Raises a ValueError if no partition function exists for the present weights."""
        self.joint.check_normalisable(self.machine_given(given))

    def variational_free_energy(self, found: MeanField) -> Tensor:
        """E_q[E] + E_q[log q] of each case: (*leading), in nats. It is at least F(v) = -log Σ_h exp(-E(v, h)) for any q.

        With q_l(x) ∝ exp(-energy(x) + <s(x), η_l>) a hidden layer's E_q[energy + log q_l] is <s(mean_l), η_l> - log_partition(η_l).
        """
        phase, odd = found.phase, self.odd
        s_odd = odd.statistic(phase.hidden_mean)
        total = (s_odd * phase.input).sum(-1) - odd.log_partition(phase.input) - self.chain.interaction(phase.s_v, s_odd)
        (data, v, _), *above = zip(self.even.layers(), self.even.split(phase.v), self.even.split_input(found.even_input), strict=True)
        total = total + data.energy(v)
        for unit, mean, input in above:
            total = total + (unit.statistic(mean) * input).sum(-1) - unit.log_partition(input)
        return total

    # Inference ------------------------------------------------------------------------------------------------------------------

    @takes(v=data_layer)
    @torch.no_grad()
    def mean_field(self, v: Tensor, *, sweeps: int = 10, tolerance: float | None = None) -> MeanField:
        """A factorial distribution of the hidden layers that maximises the variational bound, or nearly so.

        It starts with one bottom-up pass, which doubles the input of a layer with another above it, as that one is not known yet
        (Salakhutdinov & Hinton 2009, section 3.1). Each sweep updates all even hidden layers given the odd ones, then all odd layers given
        the even ones. Layers of one parity are not connected, so each half-sweep maximises the bound in them. The bound never falls.

        Parameters
        ----------
        v : Tensor
            (*leading, units), data.
        sweeps, tolerance
            Largest number of sweeps; None, or the mean change over a case's units at which no case goes on.
        """
        if sweeps < 1:
            raise ValueError(f"mean field takes at least one sweep, found sweeps={sweeps}")
        layers, chain, top = self.layers, self.chain, len(self.layers) - 1
        statistics, means, inputs = [layers[0].statistic(v)], [v], [torch.zeros_like(layers[0].statistic(v))]
        from_data = chain.from_below(1, statistics[0])
        for layer in range(1, top + 1):
            below = from_data if layer == 1 else chain.from_below(layer, statistics[-1])
            inputs.append(below if layer == top else 2 * below)
            means.append(layers[layer].mean(inputs[-1]))
            statistics.append(layers[layer].statistic(means[-1]))
        order, before = [*range(2, top + 1, 2), *range(1, top + 1, 2)], means
        for sweep in range(sweeps):
            before = list(means)
            for layer in order:
                below = from_data if layer == 1 else chain.from_below(layer, statistics[layer - 1])
                inputs[layer] = below if layer == top else below + chain.from_above(layer, statistics[layer + 1])
                means[layer] = layers[layer].mean(inputs[layer])
                statistics[layer] = layers[layer].statistic(means[layer])
            if tolerance is not None and sweep < sweeps - 1 and bool((change(means, before) <= tolerance).all()):
                break
        (even, odd), (even_input, odd_input) = self.join(means), self.join(inputs)
        phase = Phase(even, self.even.statistic(even), odd_input, odd)
        return MeanField(phase, even_input, change(means, before))

    @takes(v=data_layer)
    def hidden_mean(self, v: Tensor, *, sweeps: int = SETTLED, tolerance: float | None = TOLERANCE) -> list[Tensor]:
        """Each hidden layer's mean-field means given data: [(*leading, units of h1), ..., (*leading, units of hL)].

        For two layers they are exact, E[h | v]. For more they maximise the variational bound. The arguments are those of `mean_field`.
        """
        phase = self.mean_field(v, sweeps=sweeps, tolerance=tolerance).phase
        return self.split(phase.v, phase.hidden_mean)[1:]

    @takes(hidden=hidden_layers)
    def visible_mean(self, hidden: Sequence[Tensor]) -> Tensor:
        """E[v | h1, ..., hL], exact: (*leading, units of the data's layer). It depends on h1 alone."""
        return self.visible.mean(self.chain.from_above(0, self.layers[1].statistic(hidden[0])))

    # Sampling -------------------------------------------------------------------------------------------------------------------

    @takes(v=data_layer)
    def gibbs(self, v: Tensor, *, steps: int = 1, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """Data after `steps` sweeps of block Gibbs sampling of all layers: (*leading, units).

        The hidden states start at mean-field draws. The data converge to samples of p(v) as `steps` grows. Chains that continue from call
        to call are those of the `joint`, which keep the hidden states: `initial_states`, then `joint.gibbs`.

        Parameters
        ----------
        v, steps, generator, given
            As for `RBM.gibbs`. `given` must be empty: a ValueError is raised otherwise.
        """
        rows = v.reshape(-1, v.shape[-1])
        states, _ = self.initial_states(len(rows), generator=generator, start=rows, given=given)
        return self.part(self.joint.gibbs(states, steps=steps, generator=generator)).reshape(v.shape)

    @torch.no_grad()
    def generate(self, count: int, *, steps: int = 1000, generator: torch.Generator, start: Tensor | None = None) -> Tensor:
        """Samples of the model, as means of the data's layer: (count, units).

        Parameters
        ----------
        count, steps, generator
            The number of samples, of Gibbs sweeps of all layers, and the source of all draws.
        start : Tensor, optional
            (count, units), data, whose hidden states are drawn by mean field. By default draws from the units' own biases.
        """
        states, _ = self.initial_states(count, generator=generator, start=start)
        return self.data_mean(self.joint.gibbs(states, steps=max(steps - 1, 0), generator=generator), generator=generator)

    # The common interface (`Generative`) ------------------------------------------------------------------------------------------

    @property
    def machine(self) -> RBM:
        """The joint."""
        return self.joint

    @property
    def bound_over(self) -> str | None:
        """The joint, called "machine": its log Z is in the bound."""
        return "machine"

    def machine_given(self, given: Given) -> Given:
        """Nothing. Raises a ValueError if anything is given: it does not say to which layer it belongs."""
        if given:
            raise ValueError("a deep Boltzmann machine takes whole cases without side information, found given=...")
        return NOTHING

    @takes(start=data_layer)
    @torch.no_grad()
    def initial_states(
        self, count: int, *, generator: torch.Generator, start: Tensor | None = None, labels: Tensor | None = None, given: Given = NOTHING
    ) -> tuple[Tensor, Given]:
        """States of the even layers: data with mean-field draws, or draws from the biases. ValueError for labels or side information."""
        if labels is not None:
            raise ValueError(NO_LABELS)
        side = self.machine_given(given)
        if start is None:
            return self.even.sample(self.even.zero_input(count), generator=generator), side
        drawn = self.even.sample(self.mean_field(start).even_input, generator=generator)
        return torch.cat([start, *self.even.split(drawn)[1:]], dim=-1), side

    @torch.no_grad()
    def data_mean(self, states: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """E[v | h1] for odd layers drawn given states of the even ones: (*leading, units)."""
        return self.visible_mean(self.odd.split(self.joint.sample_hidden(states, generator=generator)))

    @takes(v=data_layer)
    def machine_mean(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """Data beside the converged means of the even hidden layers: (cases, *even.shape)."""
        self.machine_given(given)
        return self.mean_field(v, sweeps=SETTLED, tolerance=TOLERANCE).phase.v

    def part(self, states: Tensor) -> Tensor:
        """The data's layer in states of the even layers."""
        return self.even.split(states)[0]

    def to_machine(self, v: Tensor, missing: Tensor, labels: Tensor | None = None, given: Given = NOTHING) -> tuple[Tensor, Tensor, Given]:
        """Data and mask beside the even hidden layers, all of whose units are missing. Raises a ValueError for labels."""
        if labels is not None:
            raise ValueError(NO_LABELS)
        hidden = self.even.shape[0] - v.shape[-1]
        mask = torch.cat([missing, missing.new_ones(*v.shape[:-1], hidden)], dim=-1)
        return torch.cat([v, v.new_zeros(*v.shape[:-1], hidden)], dim=-1), mask, self.machine_given(given)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"layers": self.layers, "couplings": self.couplings}

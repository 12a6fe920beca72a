"""The deep Boltzmann machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harmonium.couplings import Chain, Coupling
from harmonium.couplings.between import between
from harmonium.models.rbm import RBM, Phase
from harmonium.units import Given, Groups, Unit
from harmonium.units.unit import no_joint

SETTLED = 100  # sweeps of mean field, at most, where its result is to be as good as it gets
TOLERANCE = 1e-5  # the mean change of a case's hidden units at which it has settled

NO_LABELS = "a deep Boltzmann machine has no labels to clamp: leave labels out"


class MeanField(NamedTuple):
    """A factorial q(h1, ..., hL) for each case: every hidden unit has the conditional distribution that its layer has at some input.

    `phase`: the even layers joined, `v`, the data and the means of h2, h4, ...; their statistic; the odd layers' `input` and their means,
    `hidden_mean`, which are those given the even layers: what a gradient needs. `even_input`: (*leading, *even.statistic_shape), the
    inputs that the even hidden layers' means are of, zero at the data's. `change`: (*leading), by how much the hidden units' means changed
    in the last sweep, in the mean over the units.
    """

    phase: Phase
    even_input: Tensor
    change: Tensor


class DBM(nn.Module):
    """Layers of units of which each is joined to the next, all both ways (Salakhutdinov & Hinton 2009).

        E(v, h1, ..., hL) = Σ_l layers[l].energy(h_l) - Σ_l <s(h_l), couplings[l], s(h_{l+1})>        h_0 = v

    `visible` are the data's units, and a state of the hidden layers is a list, [h1, ..., hL]. Given all others the even layers are
    independent, and so are the odd ones: `joint` is the RBM of the even layers (v, h2, ...) side by side against the odd ones
    (h1, h3, ...), whose energy, Z and parameters are this machine's. What works on all layers together takes the joint: log Z, annealing,
    tempering, the states of chains. p(h | v) has no closed form, so that the methods that start from data alone use `mean_field`.

    `layers`: the units from the data upwards, flat, of any kinds that have an energy. `couplings`: one between each two of them, None for
    a dense one; by default all are dense, their weights drawn with `seed`, `seed` + 1, ... ValueError for fewer than two layers, for
    documents, whose length would scale all odd layers' biases, and for couplings that do not fit; TypeError where a layer has no energy.
    """

    def __init__(self, layers: Sequence[Unit], couplings: Sequence[Coupling | None] | None = None, *, seed: int = 0) -> None:
        super().__init__()
        if len(layers) < 2:
            raise ValueError(f"a deep Boltzmann machine has its data's layer and at least one hidden layer, found {len(layers)} layers")
        for unit in layers:
            if not unit.has_joint_energy:
                raise no_joint(unit, "a deep Boltzmann machine")
            if unit.scales_hidden_bias:
                raise ValueError("a document's length scales the biases of the layer above it: it cannot be a layer of a deep one")
        self.joint = RBM(Groups(*layers[::2]), Groups(*layers[1::2]), Chain(between(layers, couplings, seed)))

    def __getattr__(self, name: str) -> Any:
        # Functions that take an RBM end here, in one sentence that says what to give them.
        if not name.startswith("_") and (hasattr(RBM, name) or name in ("hidden", "coupling")):
            raise AttributeError(
                f"a deep Boltzmann machine is no RBM and has no `{name}`: give its `joint` where the RBM of all its layers is meant"
            )
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
        """The couplings of all neighbours, as that of the even layers with the odd ones."""
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
        """Between each two neighbours, from the data upwards."""
        return self.chain.links()

    def split(self, even: Tensor, odd: Tensor) -> list[Tensor]:
        """Each layer's states from the data upwards, (*leading, units), of the joint's visible and hidden ones."""
        pieces = [even] * len(self.layers)
        pieces[::2], pieces[1::2] = self.even.split(even), self.odd.split(odd)
        return pieces

    def join(self, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The joint's visible and hidden states, of each layer's states from the data upwards."""
        return torch.cat(list(states[::2]), dim=-1), torch.cat(list(states[1::2]), dim=-1)

    # Energies, in nats ----------------------------------------------------------------------------------------------------------

    def energy(self, v: Tensor, hidden: Sequence[Tensor]) -> Tensor:
        """E(v, h1, ..., hL): (*leading). `hidden`: each hidden layer's states."""
        return self.joint.energy(*self.join([v, *hidden]))

    def check_normalisable(self, given: Given | None = None) -> None:
        """Raises a ValueError where no partition function exists for the present weights."""
        self.joint.check_normalisable(self.machine_given(given))

    def variational_free_energy(self, found: MeanField) -> Tensor:
        """E_q[E] + E_q[log q] of each case, at least F(v) = -log Σ_h exp(-E(v, h)) whatever the q that was found, (*leading), nats.

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

    @torch.no_grad()
    def mean_field(self, v: Tensor, *, sweeps: int = 10, tolerance: float | None = None) -> MeanField:
        """The factorial distribution of the hidden layers that the variational bound of v, (*leading, units), is highest for, or near it.

        Begun at one bottom-up pass, in which the input of a layer with one above it is doubled, as the layer above is not known yet
        (Salakhutdinov & Hinton 2009, section 3.1). Then `sweeps` times all even hidden layers given the odd ones, and all odd ones given
        the even ones. No layer is joined to one of its own parity, so that each half of a sweep takes the bound to its highest in these
        layers, and it never falls. With `tolerance` sweeps end once no case changes by more than that in the mean over its units.
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
            if tolerance is not None and sweep < sweeps - 1 and bool((_change(means, before) <= tolerance).all()):
                break
        (even, odd), (even_input, odd_input) = self.join(means), self.join(inputs)
        phase = Phase(even, self.even.statistic(even), odd_input, odd)
        return MeanField(phase, even_input, _change(means, before))

    def hidden_mean(self, v: Tensor, *, sweeps: int = SETTLED, tolerance: float | None = TOLERANCE) -> list[Tensor]:
        """Each hidden layer's means given data, as mean field has them: [(*leading, units of h1), ..., (*leading, units of hL)].

        Of a machine of two layers they are exact, E[h | v]; of more they are those of the factorial distribution nearest to p(h | v), in
        the sense of the variational bound. `sweeps`, `tolerance`: as for `mean_field`.
        """
        phase = self.mean_field(v, sweeps=sweeps, tolerance=tolerance).phase
        return self.split(phase.v, phase.hidden_mean)[1:]

    def visible_mean(self, hidden: Sequence[Tensor]) -> Tensor:
        """E[v | h1, ..., hL], exact: (*leading, units of the data's layer). Of the hidden layers' states only h1 matters."""
        return self.visible.mean(self.chain.from_above(0, self.layers[1].statistic(hidden[0])))

    # Sampling -------------------------------------------------------------------------------------------------------------------

    def gibbs(self, v: Tensor, *, steps: int = 1, generator: torch.Generator, given: Given | None = None) -> Tensor:
        """Data after `steps` sweeps of block Gibbs sampling of all layers, hidden ones begun at draws of mean field: (*leading, units).

        As sweeps grow these are samples of p(v). Chains that go on from call to call are those of the `joint`, which keep the hidden
        layers' states: `begin`, then `joint.gibbs`.
        """
        rows = v.reshape(-1, v.shape[-1])
        states, _ = self.initial_states(len(rows), generator=generator, start=rows, given=given)
        return self.part(self.joint.gibbs(states, steps=steps, generator=generator)).reshape(v.shape)

    @torch.no_grad()
    def generate(self, count: int, *, steps: int = 1000, generator: torch.Generator, start: Tensor | None = None) -> Tensor:
        """`count` fantasies, as means of the data's layer: (count, units).

        `steps` sweeps of Gibbs sampling of all layers. The chains begin at `start` (data: (count, units)) with hidden states drawn by mean
        field, or else at the units' own biases' draws.
        """
        states, _ = self.initial_states(count, generator=generator, start=start)
        return self.data_mean(self.joint.gibbs(states, steps=max(steps - 1, 0), generator=generator), generator=generator)

    # What all models answer (`Generative`) ----------------------------------------------------------------------------------------

    @property
    def machine(self) -> RBM:
        """The joint."""
        return self.joint

    @property
    def bound_over(self) -> str | None:
        """The joint's log Z is this machine's."""
        return "machine"

    def machine_given(self, given: Given | None) -> Given | None:
        """None. ValueError where anything is given: nobody says which of the layers it is of."""
        if given is not None and any(field is not None for field in vars(given).values()):
            raise ValueError("a deep Boltzmann machine takes whole cases that have nothing beside them, found given=...")
        return None

    @torch.no_grad()
    def initial_states(
        self,
        count: int,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
        labels: Tensor | None = None,
        given: Given | None = None,
    ) -> tuple[Tensor, Given | None]:
        """States of the even layers where chains begin, (count, *even.shape): at data with hidden states drawn by mean field, or at draws
        of the units' own biases. ValueError for labels, and where anything is given."""
        if labels is not None:
            raise ValueError(NO_LABELS)
        side = self.machine_given(given)
        if start is None:
            return self.even.sample(self.even.zero_input(count), generator=generator), side
        drawn = self.even.sample(self.mean_field(start).even_input, generator=generator)
        return torch.cat([start, *self.even.split(drawn)[1:]], dim=-1), side

    @torch.no_grad()
    def data_mean(self, states: Tensor, *, generator: torch.Generator, given: Given | None = None) -> Tensor:
        """E[v | h1] for odd layers drawn given states of the even ones: (*leading, units)."""
        return self.visible_mean(self.odd.split(self.joint.sample_hidden(states, generator=generator)))

    def machine_mean(self, v: Tensor, given: Given | None = None) -> Tensor:
        """Data beside the settled means of the even hidden layers: (cases, *even.shape)."""
        self.machine_given(given)
        return self.mean_field(v, sweeps=SETTLED, tolerance=TOLERANCE).phase.v

    def part(self, states: Tensor) -> Tensor:
        """The data's layer of the even layers' states."""
        return self.even.split(states)[0]

    def to_machine(
        self, v: Tensor, missing: Tensor, labels: Tensor | None = None, given: Given | None = None
    ) -> tuple[Tensor, Tensor, Given | None]:
        """Data and mask with the even hidden layers beside them, all of whose units are missing."""
        if labels is not None:
            raise ValueError(NO_LABELS)
        hidden = self.even.shape[0] - v.shape[-1]
        mask = torch.cat([missing, missing.new_ones(*v.shape[:-1], hidden)], dim=-1)
        return torch.cat([v, v.new_zeros(*v.shape[:-1], hidden)], dim=-1), mask, self.machine_given(given)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments that make an untrained copy."""
        return {"layers": self.layers, "couplings": self.couplings}


def _change(means: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """The mean absolute difference over the hidden units: (*leading)."""
    units = sum(mean.shape[-1] for mean in means[1:])
    return torch.stack([(one - other).abs().sum(-1) for one, other in zip(means[1:], before[1:], strict=True)]).sum(0) / units

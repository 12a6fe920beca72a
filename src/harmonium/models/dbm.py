"""The deep Boltzmann machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Chain, Coupling
from harmonium.couplings.between import between
from harmonium.models.rbm import RBM, Phase
from harmonium.units import Groups, Unit
from harmonium.units.unit import no_joint


class MeanField(NamedTuple):
    """A factorial q(h1, ..., hL) for each case: every hidden unit has the conditional distribution that its layer has at some input.

    `phase`: the even layers joined, `v`, the data and the means of h2, h4, ...; their statistic; the odd layers' `input` and their means,
    `hidden_mean`, which are those given the even layers: what a gradient needs. `even_input`: (*leading, *visible.statistic_shape), the
    inputs that the even hidden layers' means are of, zero at the data's. `change`: (*leading), by how much the hidden units' means changed
    in the last sweep, in the mean over the units.
    """

    phase: Phase
    even_input: Tensor
    change: Tensor


class DBM(RBM):
    """Layers of units of which each is joined to the next, all both ways (Salakhutdinov & Hinton 2009).

        E(v, h1, ..., hL) = Σ_l layers[l].energy(h_l) - Σ_l <s(h_l), couplings[l], s(h_{l+1})>        h_0 = v

    It is an RBM: given the odd layers the even ones are independent, and the other way round. `visible` is the even layers (v, h2, ...)
    side by side and `hidden` the odd ones (h1, h3, ...), so that Gibbs sampling draws all odd layers, then all even ones, and whatever
    takes an RBM takes the joint of the even layers: log Z, annealing, tempering, persistent chains. What speaks of the data alone is here.

    `layers`: the units from the data upwards, flat, of any kinds that have an energy. `couplings`: one between each two of them, None for
    a dense one; by default all are dense, their weights drawn with `seed`, `seed` + 1, ... ValueError for fewer than two layers, for
    documents, whose length would scale all odd layers' biases, and for couplings that do not fit; TypeError where a layer has no energy.
    """

    visible: Groups
    hidden: Groups
    coupling: Chain

    def __init__(self, layers: Sequence[Unit], couplings: Sequence[Coupling | None] | None = None, *, seed: int = 0) -> None:
        if len(layers) < 2:
            raise ValueError(f"a deep Boltzmann machine has its data's layer and at least one hidden layer, found {len(layers)} layers")
        for unit in layers:
            if not unit.joint:
                raise no_joint(unit, "a deep Boltzmann machine")
            if unit.scales_hidden_bias:
                raise ValueError("a document's length scales the biases of the layer above it: it cannot be a layer of a deep one")
        super().__init__(Groups(*layers[::2]), Groups(*layers[1::2]), Chain(between(layers, couplings, seed)))

    @property
    def layers(self) -> list[Unit]:
        """The units, from the data upwards."""
        found: list[Unit] = [*self.visible.layers(), *self.hidden.layers()]
        even = len(self.visible.parts)
        return [found[number // 2 + (even if number % 2 else 0)] for number in range(len(found))]

    def split(self, even: Tensor, odd: Tensor) -> list[Tensor]:
        """Each layer's states from the data upwards, (*leading, units), of the even layers joined and the odd ones."""
        pieces = [even] * len(self.layers)
        pieces[::2], pieces[1::2] = self.visible.split(even), self.hidden.split(odd)
        return pieces

    def join(self, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The even layers joined and the odd ones, of each layer's states from the data upwards."""
        return torch.cat(list(states[::2]), dim=-1), torch.cat(list(states[1::2]), dim=-1)

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
        layers, chain, top = self.layers, self.coupling, len(self.layers) - 1
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
        phase = Phase(even, self.visible.statistic(even), odd_input, odd)
        return MeanField(phase, even_input, _change(means, before))

    def variational_free_energy(self, found: MeanField) -> Tensor:
        """E_q[E] + E_q[log q] of each case, at least -log Σ_h exp(-E(v, h)) whatever the q that was found, (*leading), nats.

        With q_l(x) ∝ exp(-energy(x) + <s(x), η_l>) a hidden layer's E_q[energy + log q_l] is <s(mean_l), η_l> - log_partition(η_l).
        """
        phase, hidden = found.phase, self.hidden
        s_odd = hidden.statistic(phase.hidden_mean)
        total = (s_odd * phase.input).sum(-1) - hidden.log_partition(phase.input) - self.coupling.interaction(phase.s_v, s_odd)
        (data, v, _), *above = zip(
            self.visible.layers(), self.visible.split(phase.v), self.visible.split_input(found.even_input), strict=True
        )
        total = total + data.energy(v)
        for unit, mean, input in above:
            total = total + (unit.statistic(mean) * input).sum(-1) - unit.log_partition(input)
        return total

    # Generation -----------------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def generate(self, count: int, *, steps: int = 1000, generator: torch.Generator, start: Tensor | None = None) -> Tensor:
        """`count` fantasies, as means of the data's layer: (count, units).

        `steps` sweeps of Gibbs sampling of all layers. The chains begin at `start` (data: (count, units)) with hidden states drawn by mean
        field, or else at the units' own biases' draws.
        """
        even = self.gibbs(self.begin(count, generator=generator, start=start), steps=max(steps - 1, 0), generator=generator)
        return self.data_mean(self.sample_hidden(even, generator=generator))

    @torch.no_grad()
    def begin(self, count: int, *, generator: torch.Generator, start: Tensor | None = None) -> Tensor:
        """Even layers where chains begin, (count, *visible.shape); the arguments are those of `generate`."""
        if start is None:
            return self.visible.sample(self.visible.blank(count), generator=generator)
        drawn = self.visible.sample(self.mean_field(start).even_input, generator=generator)
        return torch.cat([start, *self.visible.split(drawn)[1:]], dim=-1)

    def data_mean(self, odd: Tensor) -> Tensor:
        """E[v | h1, h3, ...], (*leading, units of the data's layer), of which only h1 matters."""
        first = next(self.hidden.layers())
        return self.layers[0].mean(self.coupling.from_above(0, first.statistic(self.hidden.split(odd)[0])))

    def arguments(self) -> dict[str, object]:
        return {"layers": self.layers, "couplings": self.coupling.links()}


def _change(means: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """The mean absolute difference over the hidden units: (*leading)."""
    units = sum(mean.shape[-1] for mean in means[1:])
    return torch.stack([(one - other).abs().sum(-1) for one, other in zip(means[1:], before[1:], strict=True)]).sum(0) / units

"""The restricted Boltzmann machine."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.couplings import Coupling
from harmonium.couplings.between import between
from harmonium.models.normalisable import check_normalisable
from harmonium.models.shown import Shown
from harmonium.models.takes import data_layer, hidden_layer, takes
from harmonium.units import NOTHING, Given, Unit
from harmonium.units.as_layer import as_layer
from harmonium.units.groups import check_distinct

LABELS = "the labels of an RBM are part of v; a deep belief net takes them separately: hm.DBN([rbm], labels=True)"


class Phase(NamedTuple):
    """Visible states with the result of one bottom-up pass: what a gradient or a Gibbs step needs.

    Attributes
    ----------
    v : Tensor
        (*leading, *visible.shape), the visible states.
    s_v : Tensor
        (*leading, *visible.statistic_shape), their statistic.
    input : Tensor
        (*leading, *hidden.statistic_shape), the input to the hidden layer, without its own biases.
    hidden_mean : Tensor
        (*leading, *hidden.shape), E[h | v].

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> phase = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4)).infer(torch.ones(2, 6))
    >>> tuple(phase.hidden_mean.shape)
    (2, 4)
    """

    v: Tensor
    s_v: Tensor
    input: Tensor
    hidden_mean: Tensor


class RBM(Shown):
    """A restricted Boltzmann machine: two layers of exponential-family units, with a coupling between them and none within.

    Parameters
    ----------
    visible, hidden : Unit or int
        The two layers. A number is a layer of as many binary units. All formulas hold for any kinds of units and any coupling.
    coupling : Coupling, optional
        `Dense` by default.
    seed : int, default 0
        The seed of the default coupling's weights.

    Raises
    ------
    TypeError
        For layers that are no units, and for a coupling that is none.
    ValueError
        For a coupling that does not fit the layers, a `ReplicatedSoftmax` hidden layer, and one object as two layers.

    Notes
    -----
    The energy (Smolensky 1986) and the distribution are

        E(v, h) = visible.energy(v) + hidden.energy(h) - <s(v), coupling, s(h)>        p(v, h) = exp(-E(v, h)) / Z

    Given one layer, the units of the other are independent. Each is an exponential family whose natural parameter is shifted by its input.
    So the sum over a layer is its `log_partition`. Every method that draws takes a `generator`.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> v = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    >>> tuple(rbm.hidden_mean(v).shape)
    (1, 4)
    >>> tuple(rbm.gibbs(v, steps=10, generator=torch.Generator().manual_seed(0)).shape)
    (1, 6)
    """

    def __init__(self, visible: Unit | int, hidden: Unit | int, coupling: Coupling | None = None, *, seed: int = 0) -> None:
        super().__init__()
        visible, hidden = as_layer(visible), as_layer(hidden)
        check_distinct(visible, hidden)
        self.visible, self.hidden = visible, hidden
        (self.coupling,) = between((visible, hidden), [coupling], seed)
        if hidden.scales_hidden_bias:
            raise ValueError("a replicated softmax is a layer of data, because each case has its own length: it cannot be the hidden layer")
        if visible.scales_hidden_bias:
            hidden.bias_from_coupling()
        visible.join_machine(visible=True)
        hidden.join_machine(visible=False)

    # Energies, in nats ----------------------------------------------------------------------------------------------------------

    @takes(v=data_layer, h=hidden_layer)
    def energy(self, v: Tensor, h: Tensor, given: Given = NOTHING) -> Tensor:
        """E(v, h): (*leading)."""
        s_v, s_h = self.visible.statistic(v, given), self.hidden.statistic(h)
        return self.visible.energy(v, given) + self.hidden.energy(h) - self.coupling.interaction(s_v, s_h, given)

    @takes(v=data_layer)
    def free_energy(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """F(v) = -log Σ_h exp(-E(v, h)), so that log p(v) = -F(v) - log Z: (*leading).

        Raises a ValueError where values are missing. There is no closed form then (see `hm.likelihood.log_likelihood`).
        """
        if given.missing is not None:
            raise ValueError("the free energy has no closed form where values are missing; use hm.likelihood.log_likelihood")
        s_v = self.visible.statistic(v, given)
        alone = self.coupling.visible_alone(s_v, given)
        return self.visible.energy(v, given) - alone - self.hidden.log_partition(self.coupling.to_hidden(s_v, given))

    @takes(h=hidden_layer)
    def hidden_free_energy(self, h: Tensor, given: Given = NOTHING) -> Tensor:
        """F(h) = -log Σ_v exp(-E(v, h)): (*leading)."""
        s_h = self.hidden.statistic(h)
        alone = self.coupling.hidden_alone(s_h, given)
        return self.hidden.energy(h) - alone - self.visible.log_partition(self.coupling.to_visible(s_h, given), given)

    def check_normalisable(self, given: Given = NOTHING) -> None:
        """Raises a ValueError if no partition function exists for the present weights, and a TypeError if there is no energy."""
        check_normalisable(self, given)

    # One layer given the other --------------------------------------------------------------------------------------------------

    @takes(v=data_layer)
    def hidden_input(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """The hidden layer's total input from v, without its own biases: (*leading, *hidden.statistic_shape)."""
        return self.coupling.to_hidden(self.visible.statistic(v, given), given)

    @takes(h=hidden_layer)
    def visible_input(self, h: Tensor, given: Given = NOTHING) -> Tensor:
        """The visible layer's total input from h, without its own biases: (*leading, *visible.statistic_shape)."""
        return self.coupling.to_visible(self.hidden.statistic(h), given)

    @takes(v=data_layer)
    def hidden_mean(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """E[h | v]: (*leading, *hidden.shape)."""
        return self.hidden.mean(self.coupling.to_hidden(self.visible.statistic(v, given), given))

    @takes(h=hidden_layer)
    def visible_mean(self, h: Tensor, given: Given = NOTHING) -> Tensor:
        """E[v | h]: (*leading, *visible.shape)."""
        return self.visible.mean(self.coupling.to_visible(self.hidden.statistic(h), given), given)

    @takes(v=data_layer)
    @torch.no_grad()
    def sample_hidden(self, v: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """h ~ p(h | v): (*leading, *hidden.shape)."""
        return self.hidden.sample(self.coupling.to_hidden(self.visible.statistic(v, given), given), generator=generator)

    @takes(h=hidden_layer)
    @torch.no_grad()
    def sample_visible(self, h: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """v ~ p(v | h): (*leading, *visible.shape)."""
        input = self.coupling.to_visible(self.hidden.statistic(h), given)
        return self.visible.sample(input, generator=generator, given=given)

    @takes(v=data_layer)
    def gibbs(self, v: Tensor, *, steps: int = 1, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """Visible states after `steps` sweeps of block Gibbs sampling: all hidden units, then all visible ones.

        Parameters
        ----------
        v : Tensor
            (*leading, *visible.shape), the states before.
        steps : int, default 1
            Number of sweeps.
        generator : torch.Generator
            The source of all draws.
        given : Given, optional
            Side information about each case. With `given.missing` the missing units alone are drawn, and the others stay clamped.

        Returns
        -------
        Tensor
            (*leading, *visible.shape).
        """
        given = self.visible.given_by(v, given)
        missing = None if given.missing is None else given.missing.bool()
        for _ in range(steps):
            drawn = self.sample_visible(self.sample_hidden(v, generator=generator, given=given), generator=generator, given=given)
            v = drawn if missing is None else torch.where(missing, drawn, v)
        return v

    # Learning -------------------------------------------------------------------------------------------------------------------

    @takes(v=data_layer)
    def infer(self, v: Tensor, given: Given = NOTHING) -> Phase:
        """One bottom-up pass from v, (*leading, *visible.shape)."""
        s_v = self.visible.statistic(v, given)
        input = self.coupling.to_hidden(s_v, given)
        return Phase(v, s_v, input, self.hidden.mean(input))

    @torch.no_grad()
    def accumulate_gradient(
        self, phase: Phase, *, weights: Tensor | None = None, scale: float = 1.0, fresh: bool = False, given: Given = NOTHING
    ) -> None:
        """Adds scale · Σ_n weights_n · E[∂E(v_n, h)/∂θ | v_n] to every parameter's `.grad`.

        The hidden states are averaged out exactly: probabilities stand in place of samples. The gradient of the mean of -log p is that of
        the data with shares that add up to one, and of the model's particles with minus as much.

        Parameters
        ----------
        phase : Phase
            The states and their bottom-up pass, as `infer` gives them.
        weights : Tensor, optional
            (*leading), one per case by default.
        scale : float, default 1.0
            Factor of the sum.
        fresh : bool, default False
            Replace `.grad` instead of adding to it.
        given : Given, optional
            Side information about each case.
        """
        visible, hidden, coupling = self.visible, self.hidden, self.coupling
        s_h = hidden.statistic(phase.hidden_mean)
        coupling.accumulate_gradient(phase.s_v, s_h, weights=weights, scale=scale, fresh=fresh, given=given)
        visible_input = coupling.to_visible(s_h, given) if visible.statistic_is_learnt else None
        visible.add_gradient(visible.parameter_gradient(phase.v, visible_input, weights, given), scale=scale, fresh=fresh)
        hidden.add_gradient(hidden.mean_parameter_gradient(phase.input, weights, mean=phase.hidden_mean), scale=scale, fresh=fresh)

    # The common interface (`Generative`) ------------------------------------------------------------------------------------------

    @property
    def machine(self) -> RBM:
        """The RBM itself."""
        return self

    @property
    def bound_over(self) -> str | None:
        """None: log p(v) is -F(v) - log Z."""
        return None

    def machine_given(self, given: Given) -> Given:
        """`given` unchanged."""
        return given

    @takes(start=data_layer)
    @torch.no_grad()
    def initial_states(
        self,
        count: int,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
        labels: Tensor | None = None,
        given: Given = NOTHING,
    ) -> tuple[Tensor, Given]:
        """`start`, or `count` draws from the visible units' own biases, and `given`. Raises a ValueError for labels."""
        if labels is not None:
            raise ValueError(LABELS)
        return (self.visible.sample(self.visible.zero_input(count), generator=generator, given=given) if start is None else start), given

    @torch.no_grad()
    def data_mean(self, states: Tensor, *, generator: torch.Generator, given: Given = NOTHING) -> Tensor:
        """E[v | h] for hidden units drawn given `states`: (*leading, *visible.shape)."""
        whole = given.whole()
        return self.visible_mean(self.sample_hidden(states, generator=generator, given=whole), whole)

    @takes(v=data_layer)
    def machine_mean(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """The data unchanged."""
        return v

    def to_machine(self, v: Tensor, missing: Tensor, labels: Tensor | None = None, given: Given = NOTHING) -> tuple[Tensor, Tensor, Given]:
        """States, mask and `given` unchanged. Raises a ValueError for labels."""
        if labels is not None:
            raise ValueError(LABELS)
        return v, missing, given

    def part(self, states: Tensor) -> Tensor:
        """The states unchanged: all units are data."""
        return states

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"visible": self.visible, "hidden": self.hidden, "coupling": self.coupling}

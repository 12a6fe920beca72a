"""The implicit mixture of restricted Boltzmann machines."""

from __future__ import annotations

import copy
from numbers import Integral

import torch
from torch import Tensor

from harmonium.couplings import Coupling, Dense
from harmonium.models.rbm import RBM
from harmonium.models.takes import data_layer, takes
from harmonium.units import NOTHING, Bernoulli, Given, OneOf, Unit
from harmonium.units.groups import leaves


class MixtureOfRBMs(RBM):
    """The implicit mixture of RBMs: a hidden softmax unit z chooses one of K machines, and one partition function normalises all of them.

    There are no mixing proportions. What a component's share is follows from the energies, as all else does. The mixture is an `RBM` whose
    hidden layer is `OneOf` several layers, so what learns, samples and evaluates RBMs takes it: `hm.fit`, `hm.likelihood.exact_log_z`,
    `ais` and `evaluate`, `hm.save`.

    Parameters
    ----------
    visible : Unit or int
        The layer of data. A number is a layer of as many binary units.
    hidden : Unit or int
        The hidden layer of one component: bounded discrete units, such as `Bernoulli(50)`, or a number of binary ones.
    components : int, default 10
        Number of components, K.
    temperature : float, optional
        T at the start of `hm.fit`. The learning signal has softmax(-F_k(v) / T) in place of the responsibilities. T falls to 1 at a
        constant ratio from update to update, through the first half of the training. By default it is twice the largest variance of the
        data's statistics along any direction, and at least 1. At 1, which is the default for a stream, there is no such phase.
    balance : float, default 1.0
        How fast `hm.fit` moves each a_k towards equal shares of the data: by `balance` · (1/K - mean responsibility) nats per update. At 0
        contrastive divergence alone decides, and components die: `hm.fit` says so.
    coupling : Coupling, optional
        Between the visible statistic and (components, 1 + hidden), `Dense` by default. With `Conditional` a context, such as past frames,
        moves each component's hidden biases and the choice among the components, and the visible biases of all of them alike.
    seed : int, default 0
        The seed of the default coupling's weights. Components differ by them alone at the start.

    Raises
    ------
    ValueError
        For fewer than one component, for a temperature below 1 or a negative balance, for hidden units that are unbounded or have no
        bias, and for a coupling that does not fit the layers.

    Notes
    -----
        E(v, h, z) = visible.energy(v) - Σ_k z_k (a_k + s(v)' b_k + s(v)' W_k h + c_k' h)        p(v, h, z) = exp(-E) / Z
        F(v) = -log Σ_k exp(-F_k(v))        p(z_k = 1 | v) = softmax(-F(v))_k        Z = Σ_k Z_k

    (Nair & Hinton 2008, Implicit mixtures of restricted Boltzmann machines). The paper's energy has no a_k; at zero, their initial values,
    it is the same. Component k's visible biases are b + b_k, where b are the visible layer's own. `coupling.weight` is (visible statistic,
    K · (1 + hidden)): of each component b_k and then W_k; `hidden.bias` is (K, 1 + hidden): a_k and then c_k.

    Contrastive divergence draws z given v, then h given v and z, and reconstructs v by that component. The gradient averages z and h out.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rows = torch.eye(6).repeat(20, 1)
    >>> mixture = hm.MixtureOfRBMs(6, 2, components=3)
    >>> state = hm.fit(mixture, rows, epochs=5, progress=False)
    >>> tuple(mixture.responsibilities(rows).shape), tuple(mixture.cluster(rows).shape)
    ((120, 3), (120,))
    >>> v = hm.Bernoulli(6).states(torch.arange(64))  # all states
    >>> log_z = hm.likelihood.exact_log_z(mixture)
    >>> round(hm.likelihood.log_likelihood(mixture, v, log_z=log_z).exp().sum().item(), 6)
    1.0
    """

    hidden: OneOf

    def __init__(
        self,
        visible: Unit | int,
        hidden: Unit | int,
        components: int = 10,
        *,
        temperature: float | None = None,
        balance: float = 1.0,
        coupling: Coupling | None = None,
        seed: int = 0,
    ) -> None:
        if temperature is not None and not 1 <= temperature < float("inf"):
            raise ValueError(f"learning starts at a temperature of 1 or more, found {temperature}")
        if not 0 <= balance < float("inf"):
            raise ValueError(f"the rate at which shares are balanced is a number of zero or more, found {balance}")
        layer = Bernoulli(int(hidden)) if isinstance(hidden, Integral) and not isinstance(hidden, bool) else hidden
        if not isinstance(layer, Unit):
            raise TypeError(
                f"the hidden layer of a component is units, such as hm.Bernoulli(50), or a number of binary ones, found {hidden!r}"
            )
        super().__init__(visible, OneOf(layer, components), coupling, seed=seed)
        self.temperature, self.balance = temperature, float(balance)

    @takes(v=data_layer)
    def component_free_energies(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """F_k(v) = -log Σ_h exp(-E(v, h, z_k = 1)) of each component: (*leading, K), nats."""
        s_v = self.visible.statistic(v, given)
        alone = self.visible.energy(v, given) - self.coupling.visible_alone(s_v, given)
        return alone[..., None] - self.hidden.of_each(self.coupling.to_hidden(s_v, given))

    @takes(v=data_layer)
    @torch.no_grad()
    def responsibilities(self, v: Tensor, temperature: float = 1.0, given: Given = NOTHING) -> Tensor:
        """p(z_k = 1 | v), the probability that each component accounts for the case.

        Parameters
        ----------
        v : Tensor
            (*leading, *visible.shape), data.
        temperature : float, default 1.0
            T of softmax(-F_k(v) / T), above 0. Above 1 the responsibilities are softer.
        given : Given, optional
            Side information about each case.

        Returns
        -------
        Tensor
            (*leading, K).

        Raises
        ------
        ValueError
            For another temperature.
        """
        if not 0 < temperature < float("inf"):
            raise ValueError(f"a temperature is above 0 and finite, found {temperature}")
        return torch.softmax(self.hidden.of_each(self.hidden_input(v, given)) / temperature, dim=-1)

    @takes(v=data_layer)
    def cluster(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """The component with the highest responsibility for each case: (*leading) integers from 0."""
        return self.responsibilities(v, given=given).argmax(-1)

    @takes(start=data_layer)
    def sample(self, count: int, *, steps: int = 1000, generator: torch.Generator, start: Tensor | None = None) -> Tensor:
        """States of `count` chains of Gibbs sampling: z given v, then h given v and z, then v given h and z.

        Chains of a mixture that fits its data well seldom change their component, so after few steps the shares of the components are still
        those of the start.

        Parameters
        ----------
        count : int
            Number of chains.
        steps : int, default 1000
            Number of sweeps.
        generator : torch.Generator
            The source of all draws.
        start : Tensor, optional
            (count, *visible.shape), where the chains start. By default at draws from the visible units' own biases.

        Returns
        -------
        Tensor
            (count, *visible.shape).
        """
        states, _ = self.initial_states(count, generator=generator, start=start)
        return self.gibbs(states, steps=steps, generator=generator)

    @property
    @torch.no_grad()
    def components(self) -> list[RBM]:
        """The components as ordinary machines, copies with the same distributions.

        Raises a TypeError for visible units that have no bias each, such as those of documents, and for couplings other than dense ones.
        """
        return [self._component(k) for k in range(self.hidden.choices)]

    def _component(self, k: int) -> RBM:
        if not isinstance(self.coupling, Dense):
            raise TypeError(f"a component is an RBM by itself only where the coupling is dense, found {type(self.coupling).__name__}")
        visible = copy.deepcopy(self.visible)
        weight = self.coupling.weight.reshape(-1, *self.hidden.shape)[:, k]
        for start, stop, leaf in leaves(visible):
            bias = getattr(leaf, "bias", None)
            if bias is None or bias.shape != leaf.shape or leaf.statistic_shape != leaf.shape:
                raise TypeError(f"a component is an RBM by itself only where each visible unit has a bias of its own, found {leaf}")
            bias += weight[start:stop, 0].reshape(leaf.shape)
        hidden = type(self.hidden.layer)(**self.hidden.layer.arguments()).to(weight)  # type: ignore[arg-type]
        hidden.bias.copy_(self.hidden.bias[k, 1:])
        coupling = Dense(visible.statistic_shape, hidden.statistic_shape).to(weight)
        coupling.weight.copy_(weight[:, 1:])
        return RBM(visible, hidden, coupling)

    @torch.no_grad()
    def offsets(self) -> Tensor:
        """log of the factor between exp(-F_k) and that of `components[k]`: (K,) float64, nats.

        It is a_k for discrete visible units. So log Z = log Σ_k exp(offset_k + log Z of components[k]), and the components' shares of the
        mixture are the softmax of these terms.
        """
        wide = copy.deepcopy(self).double()
        v = wide.visible.mode(wide.visible.zero_input())
        own = torch.stack([component.free_energy(v) for component in wide.components])
        return own - wide.component_free_energies(v)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        hidden = self.hidden
        return {
            "visible": self.visible,
            "hidden": hidden.layer,
            "components": hidden.choices,
            "temperature": self.temperature,
            "balance": self.balance,
            "coupling": self.coupling,
        }

"""The sigmoid belief net."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from harmonium.couplings import Conditional, Coupling
from harmonium.couplings.between import between
from harmonium.models.belief_gibbs import sample_hidden
from harmonium.models.belief_mean_field import BeliefMeanField, begin, bound_of, settle
from harmonium.models.belief_posterior import BeliefPosterior, list_posterior
from harmonium.models.directed import Directed
from harmonium.models.shown import Shown
from harmonium.models.takes import all_layers, data_layer, hidden_layers, takes
from harmonium.units import Bernoulli


class SigmoidBeliefNet(Shown):
    """A sigmoid belief net: a directed net of stochastic binary layers. The units of the top layer are independent (Neal 1992).

    Samples are drawn from the top downwards. The posterior over the hidden units is not factorial: the possible causes of an effect
    explain each other away. There are three methods for it, and `accumulate_gradient` takes the result of each:

    - `posterior(v)`: exact, by enumeration of all hidden states;
    - `gibbs(v, ...)`: sequential Gibbs sampling, which converges to the posterior;
    - `mean_field(v, ...)`: the best factorial distribution, with a lower bound on log p(v).

    Parameters
    ----------
    layers : sequence of Bernoulli
        At least two flat layers, from the data upwards.
    couplings : sequence of Coupling or None, optional
        One between each two layers, whose visible side is below. None stands for a dense one. All are dense by default.
    seed : int, default 0
        The dense couplings' weights are drawn with `seed`, `seed` + 1, ...

    Raises
    ------
    ValueError
        For fewer than two layers, layers that are not flat, and couplings that do not fit or depend on a context.
    TypeError
        For other kinds of units.

    Notes
    -----
        p(v, h1, ..., hL) = p(v | h1) p(h1 | h2) ... p(hL)        p(s_i = 1 | layer above) = σ(b_i + Σ_j w_ij s_j)

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = hm.SigmoidBeliefNet([hm.Bernoulli(4), hm.Bernoulli(3), hm.Bernoulli(2)])
    >>> v = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    >>> bool(net.mean_field(v).bound <= net.log_probability(v) + 1e-9)
    True
    >>> net.accumulate_gradient(net.posterior(v), fresh=True)  # of -log p(v)
    """

    def __init__(self, layers: Sequence[Bernoulli], couplings: Sequence[Coupling | None] | None = None, *, seed: int = 0) -> None:
        super().__init__()
        if len(layers) < 2:
            raise ValueError(f"a belief net has a data layer and at least one hidden layer, found {len(layers)} layers")
        for unit in layers:
            if not isinstance(unit, Bernoulli):
                raise TypeError(f"a sigmoid belief net is made of Bernoulli layers, found {type(unit).__name__}")
            if len(unit.shape) != 1:
                raise ValueError(f"a sigmoid belief net's layers are flat, found one of shape {unit.shape}")
        links = between(layers, couplings, seed)
        if any(isinstance(link, Conditional) for link in links):
            raise ValueError("a sigmoid belief net takes no context: give it couplings that are not Conditional")
        self.generative = nn.ModuleList(
            Directed(below, link, above, upward=False) for (below, above), link in zip(pairwise(layers), links, strict=True)
        )
        self.top = layers[-1]

    @property
    def layers(self) -> list[Bernoulli]:
        """The units, from the data upwards."""
        found = [layer.unit for layer in self.directed()] + [self.top]
        return [unit for unit in found if isinstance(unit, Bernoulli)]

    @property
    def visible(self) -> Bernoulli:
        """The units of the data."""
        return self.layers[0]

    def directed(self) -> list[Directed]:
        """The directed layers, from the lowest upwards."""
        return [layer for layer in self.generative if isinstance(layer, Directed)]

    # The distribution of the net ------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator) -> list[Tensor]:
        """`count` independent samples of all layers' states, from the data upwards: (count, units) each."""
        states = [self.top.sample(self.top.zero_input(count), generator=generator)]
        for layer in reversed(self.directed()):
            states.insert(0, layer(states[0], generator))
        return states

    @takes(states=all_layers)
    def log_joint(self, states: Sequence[Tensor]) -> Tensor:
        """log p(v, h1, ..., hL) of each layer's states, (*leading, units), from the data upwards: (*leading) float64, in nats."""
        self._check(states)
        total = self.top.log_probability(states[-1], self.top.zero_input())
        for layer, below, above in zip(self.directed(), states, states[1:], strict=False):
            total = total + layer.log_probability(below, above)
        return total

    @takes(v=data_layer)
    def log_probability(self, v: Tensor) -> Tensor:
        """log p(v), by enumeration of the hidden states: (cases,) float64, in nats. Its limits are those of `posterior`."""
        return self.posterior(v).log_likelihood

    # The posterior, three ways --------------------------------------------------------------------------------------------------

    @takes(v=data_layer)
    @torch.no_grad()
    def posterior(self, v: Tensor) -> BeliefPosterior:
        """The exact p(h1, ..., hL | v) of each case, by enumeration.

        Parameters
        ----------
        v : Tensor
            (cases, units), data of zeros and ones.

        Returns
        -------
        BeliefPosterior
            The table of cases by states.

        Raises
        ------
        ValueError
            For more than 16 hidden units, more than 2^26 numbers in the table, and other data.
        """
        return list_posterior(self.directed(), self.top, self._cases(v))

    @takes(v=data_layer, hidden=hidden_layers)
    @torch.no_grad()
    def gibbs(self, v: Tensor, hidden: Sequence[Tensor] | None = None, *, steps: int = 1, generator: torch.Generator) -> list[Tensor]:
        """States of the hidden layers after `steps` sweeps of Gibbs sampling from p(h1, ..., hL | v).

        Each hidden unit in turn is drawn given all others (Neal 1992, equation 9).

        Parameters
        ----------
        v : Tensor
            (cases, units), data.
        hidden : sequence of Tensor, optional
            (cases, units) each, the chains' states before. By default samples from the prior.
        steps, generator
            Number of sweeps, and the source of all draws.

        Returns
        -------
        list of Tensor
            (cases, units) for each hidden layer. Raises a ValueError for states that do not fit.
        """
        if steps < 0:
            raise ValueError(f"Gibbs sampling takes 0 sweeps or more, found steps={steps}")
        v = self._cases(v)
        hidden = self.sample(len(v), generator=generator)[1:] if hidden is None else hidden
        states = [v, *(layer.clone() for layer in hidden)]
        self._check(states)
        return sample_hidden(self.directed(), self.top, states, steps, generator)

    @takes(v=data_layer)
    @torch.no_grad()
    def mean_field(
        self,
        v: Tensor,
        *,
        quadratic: bool = False,
        sweeps: int = 100,
        tolerance: float | None = 1e-6,
        start: BeliefMeanField | None = None,
    ) -> BeliefMeanField:
        """The factorial q(h1, ..., hL) of each case that maximises a bound on log p(v), at least locally (Saul, Jaakkola & Jordan 1996).

        Parameters
        ----------
        v : Tensor
            (cases, units), data.
        quadratic : bool, default False
            If False, E_q[log(1 + e^x)] of each unit's input x is exact. This enumerates the states of each layer of parents, at most 2^12.
            If True, it is bounded, for layers of any size.
        sweeps : int, default 100
            Largest number of sweeps over all units.
        tolerance : float or None, default 1e-6
            Stop when no probability changes by more than this.
        start : BeliefMeanField, optional
            An earlier result for the same cases. Learning that must raise the bound at every step needs it: another start may end in a
            lower local maximum.

        Returns
        -------
        BeliefMeanField
            The distributions and their bounds.

        Raises
        ------
        ValueError
            For layers that are too large, and a start that does not fit.

        Notes
        -----
        The bound is

            log p(v) >= E_q[log p(v, h1, ..., hL)] + H(q)

        Each hidden unit's probability in turn is set to the best one given all others, in closed form. So the bound never falls. The
        quadratic bound (Jaakkola & Jordan 1997) is as follows, and the best ξ² is E_q[x²]:

            log(1 + e^x) <= x/2 + log 2cosh(ξ/2) + λ(ξ) (x² - ξ²)        λ(ξ) = tanh(ξ/2) / 4ξ
        """
        if sweeps < 1:
            raise ValueError(f"mean field takes at least one sweep, found sweeps={sweeps}")
        v = self._cases(v)
        if start is not None and ((start.slopes is not None) != quadratic or start.v.shape != v.shape):
            raise ValueError("the start is a result of other cases, or of the other bound: give the same data and the same `quadratic`")
        means = begin(self.layers, len(v)) if start is None else [mean.clone() for mean in start.means]
        return settle(self.directed(), self.top, v, means, quadratic=quadratic, sweeps=sweeps, tolerance=tolerance)

    def bound(self, found: BeliefMeanField) -> Tensor:
        """The lower bound on log p(v) that this q gives at the present parameters: (cases,) float64, in nats."""
        return bound_of(self.directed(), self.top, found)

    # Learning -------------------------------------------------------------------------------------------------------------------

    def accumulate_gradient(
        self,
        found: BeliefPosterior | BeliefMeanField | Sequence[Tensor],
        *,
        weights: Tensor | None = None,
        scale: float = 1.0,
        fresh: bool = False,
    ) -> None:
        """Adds scale · Σ_n weights_n · E_q[∂/∂θ (-log p(v_n, h))] to every parameter's `.grad`.

        The learning rule is -∂/∂w_ij = s_j (s_i - p_i).

        Parameters
        ----------
        found : BeliefPosterior, BeliefMeanField or sequence of Tensor
            A result of `posterior` gives the exact gradient of -log p(v_n). A result of `mean_field` gives the gradient of minus its bound,
            where 1/2 + 2 λ_i x_i replaces p_i if the bound is quadratic. The states of each layer from the data upwards, (*leading, units)
            each, as in [v, *net.gibbs(v, ...)], give the rule itself.
        weights, scale, fresh
            As for `RBM.accumulate_gradient`.

        Notes
        -----
        Plain gradient descent on the mean over all cases never lowers the bound if its rate is at most 4 / (n + 1), with n units in the
        largest layer of parents, because the curvature of log(1 + e^x) is at most 1/4. The E-steps in between do not lower it either.
        """
        if fresh:
            self.zero_grad(set_to_none=True)
        if isinstance(found, BeliefMeanField) and found.slopes is not None:
            values = self.bound(found)
            (-scale * (values if weights is None else weights * values).sum()).backward()  # type: ignore[no-untyped-call]
            return
        with torch.no_grad():
            if not isinstance(found, BeliefPosterior | BeliefMeanField):
                self._check(found)
            for level, layer in enumerate(self.directed()):
                if isinstance(found, BeliefPosterior | BeliefMeanField):
                    below, above, shares = found.pairs(level, self.layers, weights)
                    layer.accumulate_gradient(below, above, weights=shares, scale=scale)
                else:
                    layer.accumulate_gradient(found[level], found[level + 1], weights=weights, scale=scale)
            tops = found.means[-1] if isinstance(found, BeliefPosterior | BeliefMeanField) else found[-1]
            gradient = self.top.parameter_gradient(tops, None, weights)
            for name, average in self.top.mean_parameter_gradient(torch.zeros_like(tops), weights).items():
                gradient[name].sub_(average)
            self.top.add_gradient(gradient, scale=scale, fresh=False)

    def _cases(self, v: Tensor) -> Tensor:
        """Data as states of the visible layer. Raises a ValueError unless they are cases of 0 and 1."""
        self.visible.check_states(v)
        if v.dim() != 2:
            raise ValueError(f"expected cases of data, (cases, {self.visible.shape[0]}), found shape {tuple(v.shape)}")
        return self.visible.from_data(v, self.top.bias)

    def _check(self, states: Sequence[Tensor]) -> None:
        """Raises a ValueError unless these are the states of each layer, from the data upwards."""
        expected, found = [unit.shape[0] for unit in self.layers], [layer.shape[-1] for layer in states]
        if expected != found:
            raise ValueError(f"expected the states of each layer from the data upwards, of {expected} units, found {found}")

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"layers": self.layers, "couplings": [layer.coupling for layer in self.directed()]}

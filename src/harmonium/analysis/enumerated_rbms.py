"""Small binary RBMs with enumerated states, many at once: the exact mean update of a learning rule."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from harmonium.couplings import Dense
from harmonium.models import RBM
from harmonium.units import Bernoulli


class MeanUpdate(NamedTuple):
    """The mean update of a learning rule, its derivative, and the distribution of its negative particles.

    Attributes
    ----------
    update : Tensor
        (machines, parameters), the ascent direction.
    jacobian : Tensor
        (machines, parameters, parameters), the derivative of `update` in the parameters.
    particles : Tensor
        (machines, visible states), the distribution whose statistics the rule subtracts.
    drift : Tensor
        (machines, visible states, parameters), the derivative of `particles` in the parameters.

    Examples
    --------
    >>> import torch
    >>> from harmonium.analysis import EnumeratedRBMs
    >>> machines = EnumeratedRBMs(visible=2, hidden=1)
    >>> theta = machines.draw(3, 0.5, torch.Generator().manual_seed(0))
    >>> p = torch.tensor([0.4, 0.1, 0.1, 0.4], dtype=torch.float64).expand(3, -1)
    >>> found = machines.mean_update(theta, p, steps=1)
    >>> tuple(found.jacobian.shape)
    (3, 5, 5)
    >>> torch.allclose(found.particles.sum(1), torch.ones(3, dtype=torch.float64))
    True
    """

    update: Tensor
    jacobian: Tensor
    particles: Tensor
    drift: Tensor


class EnumeratedRBMs:
    """Binary RBMs of one size whose visible and hidden states are enumerated.

    Each machine is one row of parameters: (visible biases, hidden biases, weights row by row). All numbers are float64. Nothing is drawn
    but the parameters in `draw`.

    Parameters
    ----------
    visible, hidden : int
        Numbers of binary units. The tables have 2^visible rows and 2^hidden columns.
    weight_cost : float, default 0.0
        λ of the penalty (λ/2) |W|², whose gradient λ W is subtracted from every update. It applies to the weights, not to the biases.

    Attributes
    ----------
    v : Tensor
        (visible states, visible), all visible states.
    h : Tensor
        (hidden states, hidden), all hidden states.
    size : int
        Number of parameters of one machine.
    cost : Tensor
        (parameters,), the weight cost of each parameter.

    Notes
    -----
    With s(v) = E[-∂E/∂θ | v] the mean update of a rule is

        Σ_v [p_0(v) - q(v)] s(v)

    Here p_0 is the data distribution. For maximum likelihood, q is the model's own distribution. For CD-k, q = p_0 T^k, where T is one
    sweep of Gibbs sampling (Carreira-Perpiñán & Hinton 2005).

    Examples
    --------
    Maximum likelihood stops where the model has the data distribution, if it can represent that distribution:

    >>> import torch
    >>> from harmonium.analysis import EnumeratedRBMs
    >>> machines = EnumeratedRBMs(visible=2, hidden=1)
    >>> theta = machines.draw(1, 0.5, torch.Generator().manual_seed(0))
    >>> p = machines.log_p(theta).exp()
    >>> bool(machines.update(theta, p, steps=None).abs().max() < 1e-12)
    True
    """

    def __init__(self, visible: int, hidden: int, weight_cost: float = 0.0) -> None:
        self.visible, self.hidden = visible, hidden
        self.v = Bernoulli(visible).double().states(torch.arange(2**visible))
        self.h = Bernoulli(hidden).double().states(torch.arange(2**hidden))
        self.size = visible + hidden + visible * hidden
        self.cost = torch.tensor([0.0] * (visible + hidden) + [weight_cost] * (visible * hidden), dtype=torch.float64)

    def parts(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Splits rows of parameters.

        Parameters
        ----------
        theta : Tensor
            (machines, parameters).

        Returns
        -------
        tuple of Tensor
            Visible biases (machines, visible), hidden biases (machines, hidden), weights (machines, visible, hidden).
        """
        b, c, weight = torch.split(theta, [self.visible, self.hidden, self.visible * self.hidden], dim=-1)
        return b, c, weight.reshape(-1, self.visible, self.hidden)

    def draw(self, machines: int, scale: float, generator: torch.Generator) -> Tensor:
        """Parameters drawn from N(0, scale²): (machines, parameters).

        Parameters
        ----------
        machines : int
            Number of rows.
        scale : float
            The standard deviation.
        generator : torch.Generator
            The source of all draws.
        """
        return scale * torch.randn(machines, self.size, generator=generator, dtype=torch.float64)

    def rbm(self, theta: Tensor) -> RBM:
        """One machine as an `RBM`. `theta`: (parameters,)."""
        model = RBM(Bernoulli(self.visible), Bernoulli(self.hidden), Dense(self.visible, self.hidden)).double()
        b, c, weight = self.parts(theta[None])
        for name, value in (("visible.bias", b), ("hidden.bias", c), ("coupling.weight", weight)):
            model.get_parameter(name).data = value[0].clone()
        return model

    def row(self, model: RBM) -> Tensor:
        """The parameters of an `RBM` of this size as one row: (parameters,)."""
        names = ("visible.bias", "hidden.bias", "coupling.weight")
        return torch.cat([model.get_parameter(name).detach().double().flatten() for name in names])

    # Distributions --------------------------------------------------------------------------------------------------------------

    def log_p(self, theta: Tensor) -> Tensor:
        """log p(v), in nats: (machines, visible states)."""
        b, c, weight = self.parts(theta)
        minus_free_energy = b @ self.v.T + softplus(self.v @ weight + c[:, None], threshold=40.0).sum(-1)
        return minus_free_energy.log_softmax(-1)

    def sweep(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """p(h | v), (machines, visible states, hidden states), and p(v | h), (machines, hidden states, visible states)."""
        b, c, weight = self.parts(theta)
        up, down = self.v @ weight + c[:, None], self.h @ weight.mT + b[:, None]
        log_up = up @ self.h.T - softplus(up, threshold=40.0).sum(-1, keepdim=True)
        log_down = down @ self.v.T - softplus(down, threshold=40.0).sum(-1, keepdim=True)
        return log_up.exp(), log_down.exp()

    def after(self, theta: Tensor, p: Tensor, steps: int) -> Tensor:
        """p T^steps, the distribution after Gibbs sweeps that start from p: (machines, visible states).

        Parameters
        ----------
        theta : Tensor
            (machines, parameters).
        p : Tensor
            (machines, visible states).
        steps : int
            Number of sweeps.
        """
        up, down = self.sweep(theta)
        p = p[:, None]
        for _ in range(steps):
            p = p @ up @ down
        return p[:, 0]

    def kl(self, theta: Tensor, p: Tensor) -> Tensor:
        """KL(p || model), in nats: (machines,)."""
        return (torch.xlogy(p, p) - p * self.log_p(theta)).sum(-1)

    def contrast(self, theta: Tensor, p: Tensor, steps: int) -> Tensor:
        """KL(p || model) - KL(p T^steps || model), the contrastive divergence (Hinton 2002), in nats: (machines,).

        Parameters
        ----------
        theta, p, steps
            As for `after`.
        """
        return self.kl(theta, p) - self.kl(theta, self.after(theta, p, steps))

    # Updates --------------------------------------------------------------------------------------------------------------------

    def statistics(self, theta: Tensor) -> Tensor:
        """s(v) = E[-∂E/∂θ | v]: (machines, visible states, parameters)."""
        _, c, weight = self.parts(theta)
        return self._pairs(self.v.expand(len(theta), -1, -1), torch.sigmoid(self.v @ weight + c[:, None]))

    def _pairs(self, v: Tensor, h: Tensor) -> Tensor:
        """(v, h, v h') flat, of (..., visible) and (..., hidden): (..., parameters)."""
        return torch.cat([v, h, (v[..., :, None] * h[..., None, :]).flatten(-2)], dim=-1)

    def update(self, theta: Tensor, p: Tensor, steps: int | None) -> Tensor:
        """The mean update of a learning rule.

        Parameters
        ----------
        theta : Tensor
            (machines, parameters).
        p : Tensor
            (machines, visible states), the data distribution.
        steps : int or None
            k of CD-k. None means maximum likelihood.

        Returns
        -------
        Tensor
            (machines, parameters), less the weight cost.
        """
        particles = self.log_p(theta).exp() if steps is None else self.after(theta, p, steps)
        _, c, weight = self.parts(theta)
        rest = p - particles
        of_hidden = rest[..., None] * torch.sigmoid(self.v @ weight + c[:, None])
        products = self.v.T @ of_hidden
        return torch.cat([rest @ self.v, of_hidden.sum(1), products.flatten(1)], dim=1) - self.cost * theta

    def mean_update(self, theta: Tensor, p: Tensor, steps: int | None) -> MeanUpdate:
        """The mean update with its derivative in the parameters.

        Parameters
        ----------
        theta, p, steps
            As for `update`.
        """
        s = self.statistics(theta)
        if steps is None:
            q = self.log_p(theta).exp()
            drift = q[..., None] * (s - q[:, None] @ s)
        else:
            q, drift = self._chain(theta, p, s, steps)
        rest = p - q
        update = (rest[:, None] @ s)[:, 0] - self.cost * theta
        return MeanUpdate(update, self._spread(theta, rest) - s.mT @ drift - torch.diag(self.cost), q, drift)

    def _chain(self, theta: Tensor, p: Tensor, s: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """p T^steps and its derivative. Each half of a sweep carries the derivative so far along and adds its own part."""
        b, _, weight = self.parts(theta)
        up, down = self.sweep(theta)
        v, h = self.v.expand(len(theta), -1, -1), self.h.expand(len(theta), -1, -1)
        s_down = self._pairs(torch.sigmoid(self.h @ weight.mT + b[:, None]), h)
        drift = torch.zeros_like(s)
        for _ in range(steps):
            joint = p[..., None] * up  # of v and h
            of_h = joint.sum(1)
            paired = self._pairs(joint.mT @ v, h)  # Σ_v joint (v, h, v h'), but h still needs its weight
            paired[..., self.visible : self.visible + self.hidden] *= of_h[..., None]
            gained = up.mT @ drift + paired - joint.mT @ s
            joint = of_h[..., None] * down  # of h and the next v
            p = joint.sum(1)
            paired = self._pairs(v, joint.mT @ h)
            paired[..., : self.visible] *= p[..., None]
            drift = down.mT @ (gained - of_h[..., None] * s_down) + paired
        return p, drift

    def _spread(self, theta: Tensor, weights: Tensor) -> Tensor:
        """Σ_v weights(v) ∂s(v)/∂θ, the covariance of (v, h, v h') given v: (machines, parameters, parameters)."""
        _, c, weight = self.parts(theta)
        mean = torch.sigmoid(self.v @ weight + c[:, None])
        spread = weights[..., None] * mean * (1 - mean)
        x = torch.cat([torch.ones_like(self.v[:, :1]), self.v], dim=1)
        found = theta.new_zeros(len(theta), self.size, self.size)
        for unit in range(self.hidden):
            first = self.visible + self.hidden + unit
            places = torch.tensor([self.visible + unit, *range(first, self.size, self.hidden)])
            found[:, places[:, None], places] = x.T @ (spread[..., unit, None] * x)
        return found

    def neglected(self, theta: Tensor, p: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """The gradient of `contrast` as two terms: minus the update of CD, and the term that CD neglects.

        The neglected term is -Σ_v ∂q(v)/∂θ log[q(v) / model(v)], with q = p T^steps (Hinton 2002).

        Parameters
        ----------
        theta, p, steps
            As for `after`.

        Returns
        -------
        tuple of Tensor
            (machines, parameters) each. The weight cost is part of the first.
        """
        signal = self.mean_update(theta, p, steps)
        ratio = signal.particles.log() - self.log_p(theta)
        return -signal.update, -(ratio[:, None] @ signal.drift)[:, 0]

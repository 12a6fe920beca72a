"""Exact expectations of a machine small enough to enumerate: its units, their products and its own gradient."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harmonium.likelihood.check_machine import check_machine
from harmonium.likelihood.exact_log_z import BLOCK, exact_log_z, listing, log_sum, one_case
from harmonium.models import RBM, BoltzmannMachine
from harmonium.units import Given
from harmonium.units.given import NOTHING, keep_present


@dataclass(frozen=True)
class Moments:
    """Expectations over p(v, h), float64. For binary and softmax units a mean is the marginal probability.

    Parameters
    ----------
    log_z : float
        log Z, in nats.
    visible, hidden : Tensor
        E[v] and E[h], (*visible.shape) and (*hidden.shape).
    product : Tensor
        E[s(v) s(h)'] of the flattened statistics, (visible size, hidden size).
    energy_gradient : dict of Tensor
        E[∂E/∂θ] = -∂ log Z/∂θ of each learned parameter, by its name in the model.
    """

    log_z: float
    visible: Tensor = field(repr=False)
    hidden: Tensor = field(repr=False)
    product: Tensor = field(repr=False)
    energy_gradient: dict[str, Tensor] = field(repr=False)


@torch.no_grad()
def exact_moments(model: RBM | BoltzmannMachine, *, given: Given = NOTHING) -> Moments:
    """Compute expectations under the model by enumerating the side with fewer states; the other is averaged out.

    They suffice for exact maximum likelihood. The gradient of the mean of -log p is E[∂E/∂θ] over the data, from
    `model.accumulate_gradient`, minus `energy_gradient`.

    Parameters
    ----------
    model : RBM or BoltzmannMachine
        A machine that `exact_log_z` can enumerate. It is not changed. For a general Boltzmann machine all joint states are enumerated, at
        most 2^20, and `energy_gradient` has -E[s_i s_j] of every pair.
    given : Given, optional
        One case (no leading axes), where Z depends on it.

    Returns
    -------
    Moments
        Means, products and the energy gradient, in float64 whatever the model's type.

    Raises
    ------
    ValueError
        If neither side can be enumerated, if both are too large, or if there is no partition function.
    TypeError
        For other models, and if a layer has no energy.

    Examples
    --------
    >>> import harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> found = hm.likelihood.exact_moments(rbm)
    >>> found.visible.shape, found.product.shape, sorted(found.energy_gradient)
    (torch.Size([6]), torch.Size([6, 4]), ['coupling.weight', 'hidden.bias', 'visible.bias'])
    """
    check_machine(model, "exact moments", general=True)
    given = one_case(model, given)
    model.check_normalisable(given)
    model = copy.deepcopy(model).double()  # its .grad adds up the gradient
    if isinstance(model, BoltzmannMachine):
        return _of_boltzmann(model)
    listed = listing(model, given)
    if listed is None:
        raise ValueError(
            f"exact moments need a layer whose states can be listed, found unbounded units on both sides: "
            f"{type(model.visible).__name__} and {type(model.hidden).__name__}"
        )
    visible, hidden, coupling = model.visible, model.hidden, model.coupling
    device = visible.zero_input().device
    log_z = log_sum(listed.count, listed.log_terms, device)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    like = visible.zero_input()
    mean_v, mean_h = like.new_zeros(visible.shape), like.new_zeros(hidden.shape)
    product = like.new_zeros(math.prod(visible.statistic_shape), math.prod(hidden.statistic_shape))
    for start in range(0, listed.count, BLOCK):
        numbers = torch.arange(start, min(start + BLOCK, listed.count), device=device)
        p = torch.exp(listed.log_terms(numbers).double() - log_z)
        x, here = listed.states(numbers), _repeated(given, len(numbers))
        if listed.hidden:
            h, s_h = x, hidden.statistic(x)
            input_v = coupling.to_visible(s_h, here)
            v = visible.mean(input_v, here)
            s_v = visible.statistic(v, here)
            coupling.accumulate_gradient(s_v, s_h, weights=p, scale=1.0, fresh=False, given=here)
            of_visible = visible.mean_parameter_gradient(input_v, p, here, mean=v)
            input_h = coupling.to_hidden(s_v, here) if hidden.statistic_is_learnt else None
            of_hidden = hidden.parameter_gradient(h, input_h, p)
            for unit, gradient in ((visible, of_visible), (hidden, of_hidden)):
                for name, value in gradient.items():
                    total = unit.get_parameter(name).grad
                    if total is not None:
                        total += value
        else:
            v = keep_present(x, here)
            phase = model.infer(v, here)
            h, s_v, s_h = phase.hidden_mean, phase.s_v, hidden.statistic(phase.hidden_mean)
            model.accumulate_gradient(phase, weights=p, given=here)
        mean_v += torch.tensordot(p, v, dims=1)
        mean_h += torch.tensordot(p, h, dims=1)
        product += s_v.flatten(1).T @ (p[:, None] * s_h.flatten(1))
    gradient = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return Moments(log_z, mean_v, mean_h, product, gradient)


def _of_boltzmann(model: BoltzmannMachine) -> Moments:
    """Moments by all joint states, for a machine in float64 without gradients."""
    states, p = model.distribution()
    model.accumulate_gradient(states, p, fresh=True)
    gradient = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    visible, hidden = model.split(states)
    return Moments(exact_log_z(model), p @ visible, p @ hidden, visible.T @ (p[:, None] * hidden), gradient)


def _repeated(given: Given, cases: int) -> Given:
    """What is given of one case, repeated for a block of states."""
    return given.expand(cases)

"""What follows from a unit's energy and log-partition, by differentiation: the defaults of a unit of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harmonium.units.given import NOTHING, Given

if TYPE_CHECKING:
    from harmonium.units.unit import Unit

ITERATIONS = 100
RIDGE = 1e-4  # keeps finite what only infinite parameters would fit


def mean(unit: Unit, input: Tensor, given: Given = NOTHING) -> Tensor:
    """E[x | input] = ∂ log_partition / ∂ input, of a unit whose statistic is its state: (*leading, *shape)."""
    _check_statistic(unit, input)
    kept = torch.is_grad_enabled()  # a caller may differentiate by the input or by the unit's own parameters
    with torch.enable_grad():
        x = input if input.requires_grad else input.detach().requires_grad_()
        (found,) = torch.autograd.grad(unit.log_partition(x, given).sum(), x, create_graph=kept)
    return found


def variance(unit: Unit, input: Tensor, given: Given = NOTHING) -> Tensor:
    """∂ mean / ∂ input of each unit, one backward pass for each, since units of a layer may depend on each other (as a softmax's do)."""
    _check_statistic(unit, input)
    kept = torch.is_grad_enabled()  # a caller may differentiate by the input or by the unit's own parameters
    with torch.enable_grad():
        x = input if input.requires_grad else input.detach().requires_grad_()
        (first,) = torch.autograd.grad(unit.log_partition(x, given).sum(), x, create_graph=True)
        each = first.reshape(-1, math.prod(unit.shape)).unbind(-1)
        rows = [torch.autograd.grad(of_one.sum(), x, create_graph=kept, retain_graph=True)[0] for of_one in each]
        found = torch.stack([row.reshape(-1, len(each))[:, place] for place, row in enumerate(rows)], -1)
    return found.reshape(input.shape)


def parameter_gradient(
    unit: Unit, states: Tensor, input: Tensor | None, weights: Tensor | None = None, given: Given = NOTHING
) -> dict[str, Tensor]:
    """Σ weights · ∂/∂θ [energy(x) - <s(x), input>], by parameter name."""

    def terms() -> Tensor:
        found = unit.energy(states, given)
        if unit.statistic_is_learnt and input is not None:
            found = found - (unit.statistic(states, given) * input).flatten(found.dim()).sum(-1)
        return found

    return _weighted_gradient(unit, terms, weights)


def mean_parameter_gradient(unit: Unit, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING) -> dict[str, Tensor]:
    """-Σ weights · ∂ log_partition(input)/∂θ, by parameter name."""
    return _weighted_gradient(unit, lambda: -unit.log_partition(input, given), weights)


def fit_parameters(unit: Unit, data: Tensor, weights: Tensor | None = None) -> None:
    """Sets the unit's own parameters to the maximum likelihood of `data`, (cases, *shape), with no input, in place."""
    like = unit.zero_input()
    rows = data.to(like)
    shares = (torch.ones_like(rows.flatten(1)[:, 0]) if weights is None else weights.to(like)) / (
        len(rows) if weights is None else weights.sum()
    )
    learnt = [each for each in unit.parameters() if each.requires_grad]
    start = [each.detach().clone() for each in learnt]

    def loss() -> Tensor:
        far = torch.stack([(each - before).square().sum() for each, before in zip(learnt, start, strict=True)]).sum()
        return (shares * unit.energy(rows)).sum() + unit.log_partition(like) + RIDGE * far

    _minimise(loss, learnt)


def input_of(unit: Unit, mean: Tensor) -> Tensor:
    """The constant input, (*shape), under which the mean of a unit whose statistic is its state is `mean`, near enough."""
    _check_statistic(unit, mean)
    x = torch.zeros_like(mean).requires_grad_()
    _minimise(lambda: unit.log_partition(x) - (mean * x).sum() + RIDGE * x.square().sum(), [x])
    return x.detach()


def _check_statistic(unit: Unit, input: Tensor) -> None:
    one = torch.ones(unit.shape, dtype=input.dtype, device=input.device)
    if unit.statistic_is_learnt or unit.statistic_shape != unit.shape or not torch.equal(unit.statistic(one), one):
        raise TypeError(f"{type(unit).__name__} has a statistic that is not its state: write its mean, variance and base_input")


def _weighted_gradient(unit: Unit, terms: Callable[[], Tensor], weights: Tensor | None) -> dict[str, Tensor]:
    named = {name: each for name, each in unit.named_parameters() if each.requires_grad}
    if not named:
        return {}
    with torch.enable_grad():
        values = terms()
        total = values.sum() if weights is None else (weights * values).sum()
        found = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    return {name: torch.zeros_like(each) if grad is None else grad for (name, each), grad in zip(named.items(), found, strict=True)}


def _minimise(loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> None:
    """By L-BFGS, in place; the `.grad` of the parameters is as it was before."""
    before = [each.grad for each in parameters]
    optimizer = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> float:
        with torch.enable_grad():
            value = loss()
            for each, grad in zip(parameters, torch.autograd.grad(value, parameters), strict=True):
                each.grad = grad
        return value.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    for each, grad in zip(parameters, before, strict=True):
        each.grad = grad

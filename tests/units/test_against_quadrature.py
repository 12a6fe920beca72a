"""Each kind of unit alone, given an input, against enumeration and quadrature."""

import numpy as np
import pytest
import torch

from tests import oracle
from tests.models.machines import LAYERS, SLOW, close, kind_of, leaves, names, parts, randomise, samples

CASES = 5
kinds = pytest.mark.parametrize("kind", LAYERS)


def layer(kind, seed=0):
    """A random layer, inputs for it, and the table of its states with their probability under each input."""
    draw = np.random.default_rng([seed, *map(ord, kind)])
    unit = LAYERS[kind]().double()
    randomise(unit, draw)
    input = 0.8 * draw.normal(size=(CASES, *unit.statistic_shape))
    start = 0
    for leaf in leaves(unit):
        stop = start + leaf.statistic_shape[0]
        if kind_of(leaf) == "exponential":  # which bears inputs below its rate alone
            input[:, start:stop] = np.minimum(input[:, start:stop], 0.5 * leaf.log_rate.detach().exp().numpy())
        start = stop
    states, measure = oracle.table(parts(unit))
    log_terms = measure - oracle.layer_energy(parts(unit), states) + input @ oracle.statistic(parts(unit), states).T
    return unit, torch.tensor(input), states, log_terms


@kinds
def test_log_partition_mean_and_variance(kind):
    unit, input, states, log_terms = layer(kind)
    log_partition = oracle.logsumexp(log_terms, axis=1)
    close(unit.log_partition(input), log_partition)
    p = np.exp(log_terms - log_partition[:, None])
    close(unit.mean(input), p @ states)
    close(unit.variance(input), p @ states**2 - (p @ states) ** 2)


@kinds
def test_samples_have_the_mean_variance_and_correlations(kind):
    unit, input, states, log_terms = layer(kind)
    drawn = unit.sample(input[:1].expand(40000, -1), generator=torch.Generator().manual_seed(1)).numpy()
    p = np.exp(log_terms[0] - oracle.logsumexp(log_terms[0]))
    products = [(i, j) for i in range(states.shape[1]) for j in range(i + 1)]
    for of_states, of_draws in [
        *((states[:, i], drawn[:, i]) for i in range(states.shape[1])),
        *((states[:, i] * states[:, j], drawn[:, i] * drawn[:, j]) for i, j in products),
    ]:
        expected = p @ of_states
        error = np.sqrt(max(p @ of_states**2 - expected**2, 0) / len(drawn))
        assert abs(of_draws.mean() - expected) <= 4 * error + 1e-12


@kinds
def test_samples_lie_in_the_support_and_depend_on_the_generator_alone(kind):
    unit, input, _, _ = layer(kind)
    draws = [unit.sample(input, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    unit.check(draws[0])
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@kinds
def test_the_mode_is_the_most_probable_state(kind):
    unit, input, _states, log_terms = layer(kind)
    density = log_terms - oracle.table(parts(unit))[1]
    mode = unit.mode(input)
    energy = unit.energy(mode) - (unit.statistic(mode) * input).sum(-1)
    assert (-energy.detach().numpy() >= density.max(1) - 1e-9).all()
    unit.check(mode)


@kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_parameter_gradients_equal_autograd(kind, weighted):
    unit, input, _, _ = layer(kind)
    weights = torch.rand(CASES, generator=torch.Generator().manual_seed(0), dtype=torch.float64) if weighted else None
    each = torch.ones(CASES, dtype=torch.float64) if weights is None else weights
    x = torch.tensor(samples(unit, CASES, 1))
    clamped = (each * (unit.energy(x) - (unit.statistic(x) * input).sum(-1))).sum()
    free = (-each * unit.log_partition(input)).sum()
    names = [name for name, _ in unit.named_parameters()]
    for value, found in (
        (clamped, unit.parameter_gradient(x, input, weights)),
        (free, unit.mean_parameter_gradient(input, weights)),
    ):
        assert list(found) == names
        for gradient, expected in zip(found.values(), torch.autograd.grad(value, list(unit.parameters())), strict=True):
            close(gradient, expected, 1e-6)


@kinds
def test_the_mean_gradient_is_the_average_over_the_conditional(kind):
    unit, input, states, log_terms = layer(kind)
    p = np.exp(log_terms[0] - oracle.logsumexp(log_terms[0]))
    rows, one = torch.tensor(states), input[:1].expand(len(states), -1)
    average = unit.parameter_gradient(rows, one, torch.tensor(p))
    for name, gradient in unit.mean_parameter_gradient(input[:1]).items():
        close(gradient, average[name])


@kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_inputs_stay_finite(kind, size, dtype):
    unit = LAYERS[kind]().to(dtype)
    draw = np.random.default_rng(1)
    randomise(unit, draw)
    input = torch.tensor(size * draw.uniform(0.5, 1, (3, *unit.statistic_shape)), dtype=dtype)
    results = [unit.log_partition(input), unit.mean(input), unit.variance(input), unit.mode(input)]
    results += [unit.sample(input, generator=torch.Generator().manual_seed(0)), *unit.mean_parameter_gradient(input).values()]
    slow = bool(set(names(kind)) & set(SLOW))
    results += [unit.energy(unit.mode(-abs(input) if slow else input))]
    assert all(result.dtype == dtype for result in results)
    results += [unit.double().log_partition(-input.double())]
    if slow:  # exponential units bear no such input, Poisson rates overflow: infinite, and never NaN
        assert not any(torch.isnan(result).any() for result in results)
        finite = [unit.mean(-abs(input)), unit.variance(-abs(input)), unit.log_partition(-abs(input))]
        assert all(torch.isfinite(result).all() for result in finite)
    else:
        assert all(torch.isfinite(result).all() for result in results)

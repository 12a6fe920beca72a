"""A draw and what a step does to the log-partition, found together."""

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from tests.models.machines import LAYERS, made, randomise


@pytest.mark.parametrize("kind", LAYERS)
def test_it_is_the_draw_and_the_difference(kind):
    """The same draw as `sample` makes, and two log-partitions' difference, for inputs that every kind can bear."""
    unit, draw = made(kind).double(), np.random.default_rng(1)
    randomise(unit, draw)
    input, step = (torch.tensor(size * draw.uniform(-1, 0, size=(20, *unit.statistic_shape))) for size in (2.0, 0.3))
    states, change = unit.sample_and_change(input, step, generator=torch.Generator().manual_seed(2))
    assert torch.equal(states, unit.sample(input, generator=torch.Generator().manual_seed(2)))
    assert change.shape == (20,)
    torch.testing.assert_close(change, unit.log_partition(input + step) - unit.log_partition(input), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 30.0, 80.0, 400.0])
def test_binary_units_lose_no_digits(size):
    """Single precision against the sum written out in NumPy at double precision; inputs and steps from tiny to absurd, either way."""
    draw = np.random.default_rng(3)
    unit = hm.Bernoulli(500)
    unit.bias.data = torch.tensor(draw.normal(size=500), dtype=torch.float32)
    input, step = (torch.tensor(scale * draw.normal(size=(50, 500)), dtype=torch.float32) for scale in (max(size, 3.0), size))
    found = unit.sample_and_change(input, step, generator=torch.Generator().manual_seed(0))[1].detach().double().numpy()
    z, by, bias = input.double().numpy(), step.double().numpy(), unit.bias.detach().double().numpy()
    terms = np.logaddexp(0, z + by + bias) - np.logaddexp(0, z + bias)
    assert np.abs(found - terms.sum(1)).max() < 2e-6 * np.abs(terms).sum(1).max() + 1e-9


def test_a_binary_unit_alone_loses_no_digits():
    """One unit at a time, so that no sum hides it: inputs up to ±100 and steps up to ±2000, in single precision."""
    inputs = torch.cat([torch.linspace(-100, 100, 201), torch.tensor([16.75])])
    sizes = torch.cat([torch.logspace(-3, math.log10(2000), 80), torch.tensor([16.5, 88.0, 89.0, 104.0])])
    z, step = (grid.flatten() for grid in torch.meshgrid(inputs, torch.cat([-sizes, sizes]), indexing="ij"))
    for several in (slice(None), step.abs() < 0.5):  # with and without steps that need another form than small ones do
        unit, x, by = hm.Bernoulli(1), z[several, None], step[several, None]
        found = unit.sample_and_change(x, by, generator=torch.Generator())[1].detach().double().numpy()
        terms = np.logaddexp(0, (x + by.double()).numpy()) - np.logaddexp(0, x.double().numpy())
        assert (np.abs(found - terms[:, 0]) < 1e-6 * np.abs(terms[:, 0]) + 1e-20).all()


@pytest.mark.parametrize("kind", LAYERS)
def test_the_steps_of_a_path_add_up_in_single_precision(kind):
    """Two thousand small steps from each of twenty inputs, against the same in double precision."""
    unit, draw = made(kind), np.random.default_rng(1)
    randomise(unit, draw)
    exact = made(kind).double()
    exact.load_state_dict(unit.state_dict())
    input = torch.tensor(draw.uniform(-2, 0, size=(20, *unit.statistic_shape)), dtype=torch.float32)
    at = torch.linspace(0, 1, 2001)[:-1].reshape(-1, *[1] * input.dim()) * input
    step = (input / 2000).expand_as(at)
    found = unit.sample_and_change(at, step, generator=torch.Generator())[1].detach().double()
    expected = exact.log_partition(at.double() + step) - exact.log_partition(at.double())
    assert (found - expected).sum(0).abs().max().item() < 1e-6

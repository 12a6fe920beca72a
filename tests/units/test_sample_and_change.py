"""A draw and what a step does to the log-partition, found together."""

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

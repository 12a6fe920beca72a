"""Uniform numbers: their range, grid, moments and independence."""

import numpy as np
import pytest
import torch
from scipy import stats

from harmonium.units.uniform import uniform


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_numbers_are_uniform(dtype: torch.dtype) -> None:
    numbers = uniform((1001, 333), torch.empty(0, dtype=dtype), torch.Generator().manual_seed(0))
    assert (numbers.dtype, tuple(numbers.shape)) == (dtype, (1001, 333))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    flat = numbers.double().flatten().numpy()
    assert stats.kstest(flat, "uniform").pvalue > 0.01
    counts, _ = np.histogram(flat, bins=256, range=(0, 1))
    assert stats.chisquare(counts).pvalue > 0.01
    for lag in (1, 2, 3, 333):  # two numbers come from each 64 bits: neither neighbours nor rows may be related
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) * np.sqrt(len(flat)) < 4


def test_floats_lie_on_the_grid_of_rand_and_every_bit_is_used() -> None:
    steps = uniform((200_000,), torch.empty(0), torch.Generator().manual_seed(1)).double() * 2**24
    assert torch.equal(steps, steps.round())
    for bit in range(24):
        share = ((steps.long() >> bit) & 1).double().mean().item()
        assert abs(share - 0.5) < 4 * 0.5 / 200_000**0.5, bit


def test_the_seed_says_all() -> None:
    def draw(seed: int) -> torch.Tensor:
        return uniform((5,), torch.empty(0), torch.Generator().manual_seed(seed))

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))

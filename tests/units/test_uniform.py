"""Uniform numbers: their range, grid, moments and independence."""

import numpy as np
import pytest
import torch
from scipy import stats

from harmonium.units.uniform import from_bits, uniform


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
    for lag in (1, 2, 3, 4, 5, 333):  # several numbers come from each 64 bits: neither neighbours nor rows may be related
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) * np.sqrt(len(flat)) < 4


def test_every_bit_is_fair() -> None:
    rows = 40_000
    steps = uniform((rows, 3), torch.empty(0), torch.Generator().manual_seed(1)).double() * 2**24
    for bit in range(24):
        share = ((steps[:, 0].floor().long() >> bit) & 1).double().mean().item()
        assert abs(share - 0.5) < 4 * 0.5 / rows**0.5, bit


def test_floats_are_rounded_from_far_finer_numbers_and_are_neither_zero_nor_one() -> None:
    """Each against its own bits and those of its row, in exact arithmetic; the extremes among them."""
    draw = np.random.default_rng(0)
    own = draw.integers(0, 2**16, size=(1000, 7)).astype(np.uint16)
    own[:, 0], own[:, 1] = 0, 2**16 - 1
    shared = draw.integers(0, 2**32, size=1000).astype(np.uint32)
    shared[:10], shared[10:20] = 0, 2**32 - 1
    found = from_bits(torch.tensor(own).flatten(), torch.tensor(shared), (1000, 7)).double().numpy()
    low = (shared.astype(float) + 0.5) * 2.0**-48
    exact = own.astype(float) * 2.0**-16 + low[:, None]
    assert (np.abs(found - exact) <= 2.0**-23 * exact).all()
    assert 2.0**-49 == found.min() < found.max() < 1


def test_events_below_every_bit_of_their_own_have_their_probability() -> None:
    """Of the numbers whose own bits are all zero, p = 2^-28 is a 4,096th; a number with its lowest bits is above e^-33 still."""
    rows = 400_000
    own = torch.zeros(rows, dtype=torch.uint16)
    shared = torch.tensor(np.random.default_rng(1).integers(0, 2**32, size=rows), dtype=torch.uint32)
    found = from_bits(own, shared, (rows, 1))
    assert stats.kstest(found.flatten().double().numpy() * 2**16, "uniform").pvalue > 0.01
    for p in (2.0**-24, 2.0**-28):
        expected = rows * p * 2**16
        assert abs(int((found < p).sum()) - expected) < 4 * expected**0.5


def test_events_far_below_the_bits_of_their_own_have_their_probability() -> None:
    """p = 3e-6 is a fifth of 2^-16: within four standard errors of Poisson, in one long draw of many rows and in many short draws."""
    p, generator = 3e-6, torch.Generator().manual_seed(2)
    long = sum(int((uniform((4000, 500), torch.empty(0), generator) < p).sum()) for _ in range(20))
    expected = 20 * 4000 * 500 * p
    assert abs(long - expected) < 4 * expected**0.5


def test_short_shapes_and_odd_sizes() -> None:
    for shape in [(1,), (5,), (3, 1), (7, 3), (2, 3, 5), (0, 4)]:
        assert tuple(uniform(shape, torch.empty(0), torch.Generator()).shape) == shape


def test_the_seed_says_all_and_the_default_type_nothing() -> None:
    def draw(seed: int) -> torch.Tensor:
        return uniform((5,), torch.empty(0), torch.Generator().manual_seed(seed))

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))
    try:
        torch.set_default_dtype(torch.float64)
        assert uniform((5,), torch.empty(0, dtype=torch.float32), torch.Generator()).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)

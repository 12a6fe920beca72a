"""What is all but impossible is not drawn, however extreme the random numbers."""

import math
import sys

import pytest
import torch

import harmonium as hm
from harmonium.sampling.exchange import swaps
from harmonium.units.uniform import from_bits

FAR = 80.0


# The inputs and the only states that are not all but impossible there.
CERTAIN = {
    "bernoulli off": (lambda: hm.Bernoulli(3), -FAR, [0, 0, 0]),
    "bernoulli on": (lambda: hm.Bernoulli(3), FAR, [1, 1, 1]),
    "spin down": (lambda: hm.Spin(3), -FAR, [-1, -1, -1]),
    "spin up": (lambda: hm.Spin(3), FAR, [1, 1, 1]),
    "softmax, the first": (lambda: hm.Softmax(1, categories=3), [FAR, 0, 0], [1, 0, 0]),
    "softmax, the last": (lambda: hm.Softmax(1, categories=3), [-FAR, 0, FAR], [0, 0, 1]),
    "binomial off": (lambda: hm.Binomial(2, copies=3), -FAR, [0, 0]),
    "binomial on": (lambda: hm.Binomial(2, copies=3), FAR, [3, 3]),
    "many copies off": (lambda: hm.Binomial(2, copies=60), -FAR, [0, 0]),
    "stepped off": (lambda: hm.SteppedSigmoid(2, copies=4), -FAR, [0, 0]),
    "stepped on": (lambda: hm.SteppedSigmoid(2, copies=4), FAR, [4, 4]),
    "endless off": (lambda: hm.SteppedSigmoid(2), -FAR, [0, 0]),
    "poisson": (lambda: hm.Poisson(2), -FAR, [0, 0]),
    "pooled off": (lambda: hm.PooledBlocks(4, pool=(4,)), -FAR, [0, 0, 0, 0]),
    "pooled, the second": (lambda: hm.PooledBlocks(4, pool=(4,)), [-FAR, FAR, -FAR, -FAR], [0, 1, 0, 0]),
}


@pytest.fixture(params=["lowest", "highest"])
def extreme(request, monkeypatch):
    """Every uniform number is the lowest, or the highest, that there is."""
    own, shared = (0, 0) if request.param == "lowest" else (2**16 - 1, 2**32 - 1)

    def uniform(shape, like, generator):
        rows, count = math.prod(shape[:-1]), math.prod(shape)
        return from_bits(torch.full((count,), own, dtype=torch.uint16), torch.full((rows,), shared, dtype=torch.uint32), shape)

    for kind in ("bernoulli", "spin", "softmax", "binomial", "stepped_sigmoid", "poisson", "pooled_blocks"):
        monkeypatch.setattr(sys.modules[f"harmonium.units.{kind}"], "uniform", uniform)


@pytest.mark.usefixtures("extreme")
@pytest.mark.parametrize("case", CERTAIN)
def test_a_probability_of_e_to_the_minus_80_is_not_drawn(case):
    made, input, expected = CERTAIN[case]
    unit = made()
    input = torch.as_tensor(input, dtype=torch.float32).expand(5, *unit.statistic_shape)
    mean = unit.mean(input).detach()
    for known in (None, mean):
        found = unit.sample(input, generator=torch.Generator().manual_seed(0), mean=known)
        assert torch.equal(found, torch.tensor(expected, dtype=torch.float32).expand(5, -1))


@pytest.mark.usefixtures("extreme")
@pytest.mark.parametrize("seed", range(5))
def test_rounding_leaves_nothing_to_the_last_choice(seed):
    """Shares that add up to less than one by rounding alone: neither the last category nor a block's off state comes of it."""
    input = torch.randn(500, 40, generator=torch.Generator().manual_seed(seed))
    softmax, pooled = hm.Softmax(1, categories=41), hm.PooledBlocks(40, pool=(40,))
    with_last = torch.cat([input, torch.full((500, 1), -FAR)], dim=1)
    assert not bool(softmax.sample(with_last, generator=torch.Generator())[:, -1].any())
    assert bool((pooled.sample(input + FAR, generator=torch.Generator()).sum(1) == 1).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_all_but_impossible_swap_is_not_made(dtype):
    def log_ratio(first, place):
        return torch.full((1, 2), -FAR, dtype=dtype)

    _, acceptance, swapped = swaps(2, torch.tensor([[0.0, 0.5]], dtype=dtype), log_ratio)
    assert not bool(swapped.any())
    assert acceptance[0, 0].item() == pytest.approx(math.exp(-FAR))

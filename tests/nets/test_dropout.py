"""Dropout leaves out the share of inputs that it says, in every type, independently, and scales the others."""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from harmonium.nets import Dropout

SHAPE = (500, 401)  # no multiple of four


def dropped(p, dtype=torch.float32, seed=0):
    module = Dropout(p)
    module.generator.manual_seed(seed)
    return module(torch.ones(SHAPE, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.9, 0.9999])
def test_the_share_that_is_dropped(p, dtype):
    found, count = dropped(p, dtype), np.prod(SHAPE)
    zeros = int((found == 0).sum())
    assert binom.cdf(zeros, count, p) > 1e-5
    assert binom.sf(zeros - 1, count, p) > 1e-5
    torch.testing.assert_close(found[found != 0], torch.full((count - zeros,), 1 / (1 - p), dtype=dtype))


def test_inputs_are_dropped_independently():
    kept = (dropped(0.3) != 0).double().numpy() - 0.7
    own = kept.var()
    for shift, axis in ((1, 1), (2, 1), (4, 1), (1, 0)):
        covariance = (kept * np.roll(kept, shift, axis)).mean()
        assert abs(covariance / own) < 4.5 / np.sqrt(kept.size)


def test_the_gradient_is_the_mask():
    module, x = Dropout(0.4), torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)).requires_grad_()
    module(x).sum().backward()
    module.generator.manual_seed(module.generator.initial_seed())
    torch.testing.assert_close(module(x).detach(), x.detach() * x.grad)


def test_evaluation_and_a_share_of_zero_change_nothing():
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x

"""Standardised data against NumPy, and back again."""

import numpy as np
import pytest
import torch

import harmonium as hm

DATA = np.random.default_rng(0).integers(0, 256, size=(5000, 3, 4)).astype(np.uint8)
DATA[:, 1] //= 3


@pytest.mark.parametrize("make", [torch.from_numpy, np.asarray, lambda data: torch.from_numpy(data).double()])
def test_a_mean_of_each_pixel(make):
    standard, x = hm.data.standardise(make(DATA)), DATA.astype(float)
    expected = (x - x.mean(0)) / x.std(0).mean()
    np.testing.assert_allclose(standard(make(DATA)), expected, atol=1e-5)
    np.testing.assert_allclose(standard.inverse(standard(make(DATA))), x, atol=1e-3)
    others = DATA[:7] // 2
    np.testing.assert_allclose(standard(make(others)), (others - x.mean(0)) / x.std(0).mean(), atol=1e-5)


def test_a_mean_of_each_image():
    standard, x = hm.data.standardise(DATA, mean="image"), DATA.astype(float)
    centred = x - x.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(standard(DATA), centred / centred.std(0).mean(), atol=1e-5)
    with pytest.raises(ValueError, match="there is no way back"):
        standard.inverse(standard(DATA))


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (DATA, {"mean": "all"}, "found 'all'"),
        (np.zeros((0, 3)), {}, "at least one case"),
        (np.zeros(3), {}, r"expected data of shape \(cases, ...\)"),
        (np.full((3, 2), np.nan), {}, "must be finite"),
        (np.ones((3, 2)), {}, "must vary"),
    ],
)
def test_what_cannot_be_standardised(data, settings, message):
    with pytest.raises(ValueError, match=message):
        hm.data.standardise(data, **settings)
    with pytest.raises(ValueError, match=r"expected rows of shape \(cases, 3, 4\), found \(2, 5\)"):
        hm.data.standardise(DATA)(np.zeros((2, 5)))

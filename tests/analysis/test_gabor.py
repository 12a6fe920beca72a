"""Gabor fits of fields whose parameters are known, and of fields that are none."""

import numpy as np
import pandas as pd
import pytest
import torch

from harmonium.analysis import gabor_fit


def gabor(row, column, angle, frequency, width, length, phase, size=12):
    """Written independently: a rotated coordinate pair, an envelope and a wave."""
    y, x = np.mgrid[:size, :size]
    u = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
    t = -(x - column) * np.sin(angle) + (y - row) * np.cos(angle)
    return (np.exp(-(u**2) / (2 * width**2) - t**2 / (2 * length**2)) * np.cos(2 * np.pi * frequency * u + phase)).ravel()


def test_the_parameters_of_gabor_functions_are_found():
    draw = np.random.default_rng(0)
    count = 12
    angle, phase = draw.uniform(0, np.pi, count), draw.uniform(0, 2 * np.pi, count)
    row, column = draw.uniform(3, 8, (2, count))
    frequency, width = draw.uniform(0.12, 0.25, count), draw.uniform(1.2, 2, count)
    length = width * draw.uniform(1, 1.6, count)
    fields = np.stack([gabor(*each) for each in zip(row, column, angle, frequency, width, length, phase, strict=True)], axis=1)
    fit = gabor_fit(torch.tensor(fields, requires_grad=True), (12, 12))
    assert fit.explained.min() > 0.999
    np.testing.assert_allclose(fit.centre, np.stack([row, column], 1), atol=0.25)
    np.testing.assert_allclose(fit.frequency, frequency, atol=0.02)
    turn = np.abs(fit.orientation - angle)
    assert np.minimum(turn, np.pi - turn).max() < 0.1
    np.testing.assert_allclose(fit.area, np.pi * width * length / 144, rtol=0.15)
    assert fit.localised().all()
    noisy = fields / np.linalg.norm(fields, axis=0) + draw.normal(size=fields.shape) / 12 * 0.5
    np.testing.assert_allclose(gabor_fit(noisy, (12, 12)).explained, 1 / 1.25, atol=0.12)


def test_noise_gratings_and_silent_units_are_not_localised():
    draw = np.random.default_rng(1)
    assert not gabor_fit(draw.normal(size=(64, 40)), (8, 8)).localised().any()
    grating = np.stack([gabor(4, 4, 0.7, 0.2, 1e6, 1e6, phase, size=8) for phase in (0, 1)], axis=1)
    fit = gabor_fit(grating, (8, 8))
    assert fit.explained.min() > 0.95
    assert not fit.localised().any()
    assert gabor_fit(np.zeros((64, 1)), (8, 8)).explained == 0


def test_the_selectivity_of_a_bar_is_that_of_its_aspect():
    """Of a Gaussian r times as long as wide: (r² - 1) / (r² + 1), for any angle. A blob is localised and no edge."""
    aspect = np.array([1.0, 1.3, 2.0])
    bars = np.stack(
        [gabor(5.5, 5.5, angle, 0.0, 1.2, 1.2 * ratio, 0.0) for ratio, angle in zip(aspect, (0.0, 0.4, 1.3), strict=True)], axis=1
    )
    fit = gabor_fit(bars, (12, 12))
    np.testing.assert_allclose(fit.selectivity, (aspect**2 - 1) / (aspect**2 + 1), atol=0.02)
    assert fit.localised().all()
    assert fit.edges().tolist() == [False, False, True]


@pytest.mark.parametrize("weights", [np.zeros((63, 2)), np.zeros(64), np.full((64, 1), np.nan)])
def test_other_weights_are_refused(weights):
    with pytest.raises(ValueError, match=r"expected finite weights of shape \(64, units\)"):
        gabor_fit(weights, (8, 8))


def test_weights_of_every_form_and_the_shape_of_one_image():
    weights = np.random.default_rng(0).normal(size=(16, 2))
    expected = gabor_fit(weights, (4, 4)).explained
    for same in (weights.tolist(), torch.nn.Parameter(torch.tensor(weights)), pd.DataFrame(weights)):
        np.testing.assert_allclose(gabor_fit(same, (4, 4)).explained, expected)
    assert gabor_fit(torch.tensor(weights, dtype=torch.bfloat16), (4, 4)).explained == pytest.approx(expected, abs=0.02)
    for shape in (16, (3, 4, 4)):
        with pytest.raises(ValueError, match=r"image_shape is \(height, width\)"):
            gabor_fit(weights, shape)
    with pytest.raises(ValueError, match="found 3 NaN"):
        gabor_fit(np.where(np.arange(32).reshape(16, 2) < 3, np.nan, weights), (4, 4))

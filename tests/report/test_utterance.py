"""A frame stands where it was taken, feature 1 at the bottom."""

import numpy as np
import pytest

from harmonium.report import utterance
from harmonium.report.drawn import as_png


def test_frames_stand_above_the_samples_that_they_are_of():
    wave, features = np.sin(np.arange(1000)), np.arange(33.0).reshape(11, 3)
    figure = utterance(wave, 8000, {"three": features}, title="Tone")
    above, below = figure.axes
    (line,) = above.lines
    np.testing.assert_allclose(line.get_xydata(), np.column_stack([np.arange(1000) / 8000, wave]))
    (picture,) = below.images
    np.testing.assert_array_equal(picture.get_array(), features.T)
    assert picture.origin == "lower"
    left, right, bottom, top = picture.get_extent()
    assert (left + (right - left) / 22, bottom, top) == pytest.approx((0.0125, 0.5, 3.5))  # the first frame is from 0 to 25 ms
    assert right - (right - left) / 22 == pytest.approx(0.1 + 0.0125)
    assert above.get_xlim() == below.get_xlim() == (0, 0.125)
    assert as_png(figure).startswith(b"\x89PNG")


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"found \(2, 3\) and no features"):
        utterance(np.zeros((2, 3)), 8000, {})
    with pytest.raises(ValueError, match=r"found \(3,\) and energy of \(3,\)"):
        utterance(np.zeros(3), 8000, {"energy": np.zeros(3)})

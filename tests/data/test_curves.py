"""Curves of three points: distances from SciPy, six numbers to an image, and the same images for the same seed."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

import harmonium as hm


def distance(points, column, row):
    """From a pixel's middle to the curve, by minimisation from many starts."""

    def squared(t):
        place = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
        return (place[0] - column) ** 2 + (place[1] - row) ** 2

    parts = np.linspace(0, 1, 9)
    return min(minimize_scalar(squared, bounds=ends, method="bounded").fun for ends in itertools.pairwise(parts)) ** 0.5


@pytest.mark.parametrize("width", [1.0, 2.5])
def test_ink_falls_with_the_distance_from_the_curve(width):
    found = hm.data.curves.load(train=2, test=1, width=width, seed=1)
    for image, points in zip(found.train_images.reshape(-1, 28, 28).numpy(), found.train_points.double().numpy(), strict=True):
        for row in range(0, 28, 2):
            for column in range(row // 2 % 2, 28, 2):
                ink = np.clip(width / 2 + 0.5 - distance(points, column, row), 0, 1)
                assert image[row, column] / 255 == pytest.approx(ink, abs=0.02)


def test_seeds_parts_and_numbers():
    one, other = (hm.data.curves.load(train=train, test=30, seed=3) for train in (20, 50))
    assert torch.equal(one.test_images, other.test_images)
    assert torch.equal(one.train_images, other.train_images[:20])
    assert not torch.equal(one.train_points, one.test_points[:20])
    assert not torch.equal(one.train_images, hm.data.curves.load(train=20, test=1, seed=4).train_images)
    assert one.train_images.dtype == torch.uint8
    assert one.train_points.min() >= 3
    assert one.train_points.max() <= 24
    rim = one.test_images.reshape(-1, 28, 28).clone()
    rim[:, 2:-2, 2:-2] = 0
    assert not rim.any()  # the whole stroke is inside
    assert (one.test_images.float().sum(1) / 255 > 1).all()


def test_turned_images_are_those_of_turned_points():
    """Each drawn from its own points: (column, row) -> every sign and order of them about the middle."""
    made = hm.data.curves.load(train=5, test=1, seed=2)
    about = made.train_points.double() - 13.5
    ways = [torch.tensor(way, dtype=torch.float64) for way in itertools.product((1.0, -1.0), repeat=2)]
    points = [13.5 + (flipped * way) for way in ways for flipped in (about, about.flip(2))]
    expected = torch.cat([hm.data.curves.draw(each.float(), 1.0) for each in points]).reshape(8, 5, 784).int()
    found = hm.data.curves.turned(made.train_images).reshape(8, 5, 784).int()
    assert torch.equal(found[0], made.train_images.int())
    matches = [[int((one - other).abs().max() <= 1) for other in expected] for one in found]  # edges are rounded to a grey level
    assert np.array_equal(np.sort(np.argmax(matches, 1)), np.arange(8))
    assert np.sum(matches) == 8
    assert torch.equal(hm.data.curves.turned(made.train_images.numpy()).int(), found.reshape(40, 784))
    with pytest.raises(ValueError, match=r"\(cases, 784\), found shape \(5, 28, 28\)"):
        hm.data.curves.turned(torch.zeros(5, 28, 28))


@pytest.mark.parametrize(("settings", "message"), [({"train": 0}, "train=0"), ({"test": 0}, "test=0"), ({"width": 0.0}, "positive")])
def test_what_makes_no_images_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        hm.data.curves.load(**{"train": 1, "test": 1, **settings})

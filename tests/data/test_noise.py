"""Structured noise: exact masks where the noise is given by its place, widths, periods and rates where it is random."""

import numpy as np
import pytest
import torch
from scipy import stats

import harmonium as hm
from harmonium.data.noise import Block, Border, Grid, SaltAndPepper, Strokes

KINDS = (Strokes(), Grid(), Block(), Border(), SaltAndPepper())
SHAPE = (12, 17)
GREY = torch.tensor(np.random.default_rng(0).integers(256, size=(6, 204)), dtype=torch.uint8)


def masks(kind, cases, shape, seed=0):
    return kind.mask(cases, shape=shape, seed=seed).reshape(cases, *shape).numpy()


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(
    ("images", "ink"),
    [(GREY, 255), (GREY.float() / 255, 1.0), (GREY.double() / 255, 1.0), ((GREY / 255).half(), 1.0), (GREY > 100, True)],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_only_the_mask_changes_and_the_images_stay_as_they_were(kind, images, ink):
    before = images.clone()
    noisy, mask = kind(images, shape=SHAPE, seed=3), kind.mask(6, shape=SHAPE, seed=3)
    assert torch.equal(images, before)
    assert noisy.dtype == images.dtype
    assert torch.equal(noisy[~mask], images[~mask])
    if isinstance(kind, SaltAndPepper):
        assert set(noisy[mask].tolist()) == {0, ink}
    else:
        assert set(noisy[mask].tolist()) == {ink}


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_noise_of_a_case_depends_on_its_number_and_the_seed_alone(kind):
    noisy = kind(GREY, shape=SHAPE, seed=3)
    assert torch.equal(kind(GREY, shape=SHAPE, seed=3), noisy)
    assert torch.equal(kind(GREY[:2], shape=SHAPE, seed=3), noisy[:2])
    assert torch.equal(kind(GREY[4:], shape=SHAPE, seed=3, first=4), noisy[4:])
    changed = GREY.clone()
    changed[0] = 7
    assert torch.equal(kind(changed, shape=SHAPE, seed=3)[1:], noisy[1:])
    mask = kind.mask(6, shape=SHAPE, seed=3)
    fixed = isinstance(kind, Border)
    assert torch.equal(kind.mask(6, shape=SHAPE, seed=4), mask) == fixed
    assert torch.equal(mask[0], mask[1]) == fixed


def test_a_border_is_a_frame():
    found = masks(Border(2), 1, (6, 7))[0].astype(int)
    assert found.tolist() == [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 0, 0, 0, 1, 1],
        [1, 1, 0, 0, 0, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
    ]
    assert hm.data.noise.Border().mask(1).sum() == 28**2 - 22**2


def test_a_block_is_a_square_at_every_place_alike():
    found = masks(Block(2), 6000, (4, 5))
    corners = [np.argwhere(mask)[0] for mask in found]
    for mask, (row, column) in zip(found, corners, strict=True):
        expected = np.zeros((4, 5), bool)
        expected[row : row + 2, column : column + 2] = True
        assert (mask == expected).all()
    counts = np.unique(corners, axis=0, return_counts=True)
    assert counts[0].tolist() == [[row, column] for row in range(3) for column in range(4)]
    assert stats.chisquare(counts[1]).pvalue > 1e-3
    assert (masks(Block(4), 1, (4, 4)) == 1).all()


@pytest.mark.parametrize("period", [2, 3, 7])
def test_a_grid_repeats_with_its_period_at_every_phase_alike(period):
    found = masks(Grid(period), 2000, (15, 16))
    phases = []
    for mask in found:
        rows, columns = np.flatnonzero(mask.all(axis=1)), np.flatnonzero(mask.all(axis=0))
        assert (np.diff(rows) == period).all()
        assert (np.diff(columns) == period).all()
        assert rows[0] < period > 14 - rows[-1]
        assert columns[0] < period > 15 - columns[-1]
        expected = np.zeros((15, 16), bool)
        expected[rows], expected[:, columns] = True, True
        assert (mask == expected).all()
        phases.append(rows[0] * period + columns[0])
    assert stats.chisquare(np.bincount(phases, minlength=period**2)).pvalue > 1e-3


def test_mnist_size_grids_cover_the_same_number_of_pixels_whatever_the_phase():
    assert set(Grid(7).mask(50).sum(1).tolist()) == {28**2 - 24**2}


def extents(mask):
    """The mask's breadth between its outermost pixel centres, seen along 720 directions (of the line's course, from 0 to 180 degrees)."""
    angles = np.linspace(0, np.pi, 720, endpoint=False)
    rows, columns = np.nonzero(mask)
    across = np.outer(columns, np.sin(angles)) - np.outer(rows, np.cos(angles))
    return angles, np.ptp(across, axis=0)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_stroke_is_a_band_of_its_width_from_side_to_side(width):
    shape, areas = (60, 80), []
    for mask in masks(Strokes(1, width), 300, shape, seed=width):
        angles, breadth = extents(mask)
        best = np.argmin(breadth)
        assert breadth[best] < width + 0.22  # a band at some angle, of which the nearest tried is off by up to pi / 1440, over 100 pixels
        rows, columns = np.nonzero(mask)
        sides = [0 in rows, 59 in rows, 0 in columns, 79 in columns]
        assert sum(sides) >= 2
        length = np.hypot(np.ptp(rows), np.ptp(columns))
        if length > 50:
            areas.append(mask.sum() / (length + width / 2))
            along = mask if abs(np.sin(angles[best])) < abs(np.cos(angles[best])) else mask.T  # level strokes, or made so
            thick = along.sum(axis=0)[5:-5]
            thick = thick[thick > 0]
            assert thick.max() <= np.ceil(width * np.sqrt(2))
            inner = along.any(axis=0)
            assert all((np.diff(np.flatnonzero(column)) == 1).all() for column in along.T[inner])
    assert len(areas) > 150
    assert np.mean(areas) == pytest.approx(width, rel=0.04)


def test_level_strokes_cover_exactly_their_width():
    class Level:
        """Draws points anywhere, and no angle but 0 or 90 degrees."""

        def __init__(self, seed, upright):
            self.draw, self.upright = np.random.default_rng(seed), upright

        def random(self, size=None):
            return self.upright / 2 if size is None else self.draw.uniform(0.2, 0.8, size)

    for seed in range(50):
        level = Strokes(1, 2).overwrite((20, 20), Level(seed, upright=0))[0]
        upright = Strokes(1, 2).overwrite((20, 20), Level(seed, upright=1))[0]
        for mask in (level, upright.T):
            assert mask.all(axis=1).sum() == mask.any(axis=1).sum() == 2
            assert np.diff(np.flatnonzero(mask[:, 0])) == 1
    middle = [0.5, 0.5]
    assert Strokes(1, 2).overwrite((5, 5), Fixed(middle, 0.0))[0].all(axis=1).sum() == 2  # of three rows whose centres are within a pixel
    assert Strokes(1, 2).overwrite((4, 4), Fixed(middle, 0.25))[0].astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
    ]


class Fixed:
    """Draws one point and one angle, as shares of the image and of 180 degrees."""

    def __init__(self, point, angle):
        self.point, self.angle = np.array(point), angle

    def random(self, size=None):
        return self.angle if size is None else self.point


def test_angles_and_places_of_strokes_are_uniform():
    """A point of the image lies on a stroke through a uniform point at a uniform angle with a probability found by quadrature."""
    side, width, cases = 21, 2, 4000
    where = np.arange(0.5, 400) / 400
    rows, columns, angles = where[::10] * side - 0.5, where[::10] * side - 0.5, where * np.pi
    for row, column in ((10, 10), (0, 0), (3, 15)):
        distance = (column - columns)[:, None, None] * np.sin(angles) - (row - rows)[None, :, None] * np.cos(angles)
        p = ((distance >= -width / 2) & (distance < width / 2)).mean()
        found = masks(Strokes(1, width), cases, (side, side), seed=9)[:, row, column].mean()
        assert abs(found - p) < 4 * np.sqrt(p * (1 - p) / cases)


def test_more_strokes_cover_what_independent_ones_would():
    one = masks(Strokes(1), 4000, (28, 28), seed=1).mean(0)
    four = masks(Strokes(4), 4000, (28, 28), seed=2).mean(0)
    expected = 1 - (1 - one) ** 4
    spread = np.sqrt(four * (1 - four) / 4000 + 16 * one * (1 - one) / 4000)
    assert (np.abs(four - expected) / spread).max() < 5
    assert np.abs((four - expected) / spread).mean() < 1


def test_salt_and_pepper_fall_alike_and_at_their_rate():
    kind, images = SaltAndPepper(0.2), torch.full((50, 784), 0.5)
    noisy, mask = kind(images, seed=5), kind.mask(50, seed=5)
    n = images.numel()
    assert abs(mask.double().mean() - 0.2) < 4 * np.sqrt(0.2 * 0.8 / n)
    for value in (0.0, 1.0):
        assert abs((noisy == value).double().mean() - 0.1) < 4 * np.sqrt(0.1 * 0.9 / n)
    assert torch.equal(mask, noisy != 0.5)
    columns = mask.double().mean(0)
    assert abs(columns - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 50)
    assert SaltAndPepper(1.0).mask(3).all()


@pytest.mark.parametrize(
    ("images", "shape", "message"),
    [
        (GREY, (28, 28), r"height x width.*\(6, 204\).*shape="),
        (GREY.reshape(6, 12, 17), SHAPE, r"\(6, 12, 17\)"),
        (GREY[:0], SHAPE, "at least one case"),
        (GREY.float(), SHAPE, "probabilities of ink from 0 to 1"),
        (GREY.float() * float("nan"), SHAPE, "found nan"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, shape, message):
    for kind in KINDS:
        with pytest.raises(ValueError, match=message):
            kind(images, shape=shape)


def test_other_types_are_refused():
    for images in (GREY.long(), GREY.numpy()):
        with pytest.raises(TypeError, match=r"uint8 grey levels, probabilities or booleans, not (torch.int64|ndarray)"):
            Strokes()(images, shape=SHAPE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Strokes(0), "at least one"),
        (lambda: Strokes(1, 0.5), "at least 1 pixel wide"),
        (lambda: Grid(1), "at least 2 pixels apart"),
        (lambda: Block(0), "at least 1 pixel"),
        (lambda: Border(0), "at least 1 pixel"),
        (lambda: SaltAndPepper(0.0), "above 0"),
        (lambda: SaltAndPepper(1.5), "at most 1"),
        (lambda: Block(9).mask(1, shape=(8, 9)), "9 by 9 pixels does not fit into an image of 8 by 9"),
        (lambda: Border(4).mask(1, shape=(8, 9)), "leaves nothing"),
        (lambda: Grid().mask(0), "at least one case"),
        (lambda: Grid().mask(1, seed=-1), "seed"),
    ],
)
def test_noise_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Generated images have the properties that were published, by oracles that share no code with what makes them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from scipy.spatial import Delaunay, QhullError

from harmonium.data import Dataset, convex_sets, mnist, natural_images, rectangles, varied_digits
from harmonium.data.mnist_variations import KINDS, NAMES, generate
from harmonium.data.warp import resampled, rotated

CASES = (60, 20, 120)
RNG = np.random.default_rng(0)
DIGITS = RNG.integers(256, size=(300, 28, 28), dtype=np.uint8) * (RNG.random((300, 28, 28)) < 0.2)
PHOTOGRAPHS = [torch.from_numpy(RNG.integers(256, size=size, dtype=np.uint8)) for size in ((60, 80), (90, 40))]
PHOTOGRAPHS[1][:, :20] = 77  # without texture


@pytest.fixture(autouse=True)
def small_sources(monkeypatch):
    """300 digits, each known by its label, and two photographs."""
    flat = torch.from_numpy(DIGITS.reshape(300, 784).astype(np.uint8))
    numbers = torch.arange(300)
    data = Dataset("mnist", flat[:250], numbers[:250], flat[250:], numbers[250:], (28, 28), 300)
    monkeypatch.setattr(mnist, "load", lambda data_dir=None: data)
    monkeypatch.setattr(natural_images, "load", lambda data_dir=None: PHOTOGRAPHS)


def everything(found):
    parts = (found.train, found.valid, found.test)
    return torch.cat([part.images for part in parts]).reshape(-1, 28, 28), torch.cat([part.labels for part in parts])


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_labelled_generated_and_depends_on_its_seed_alone(name):
    first, again, other = (generate(name, seed=seed, cases=CASES) for seed in (1, 1, 2))
    assert (first.name, first.generated) == (f"{name}, generated", True)
    assert "not the published images" in first.description
    assert first.classes == KINDS[name].classes
    for count, part, same in zip(CASES, (first.train, first.valid, first.test), (again.train, again.valid, again.test), strict=True):
        assert (part.images.shape, part.images.dtype, part.labels.shape) == ((count, 784), torch.float32, (count,))
        assert part.labels.dtype == torch.int64
        assert part.images.min() >= 0
        assert part.images.max() <= 1
        assert torch.equal(part.images, same.images)
        assert torch.equal(part.labels, same.labels)
    assert not torch.equal(first.train.images, other.train.images)


def test_basic_digits_are_mnists_each_at_most_once():
    images, labels = everything(generate("basic", cases=CASES))
    assert len(labels.unique()) == 200
    assert torch.equal((images * 255).round().to(torch.uint8), torch.from_numpy(DIGITS.astype(np.uint8))[labels])
    with pytest.raises(ValueError, match="MNIST has 300 digits, and 400 were asked for"):
        generate("rot", cases=(300, 50, 50))


@pytest.mark.parametrize("degrees", [0, 30, 90, 137.5, 180, 300])
def test_rotation_is_scipys(degrees):
    images = torch.from_numpy(RNG.random((3, 28, 28)))
    found = rotated(images, torch.full((3,), np.deg2rad(degrees), dtype=torch.float64)).numpy()
    expected = [ndimage.rotate(image, degrees, reshape=False, order=1, mode="grid-constant") for image in images.numpy()]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    if degrees == 90:
        np.testing.assert_allclose(found, np.rot90(images.numpy(), axes=(1, 2)), atol=1e-9)  # anticlockwise


def test_resampling_is_scipys():
    images, places = RNG.random((4, 9, 13)), RNG.uniform(-3, 14, (2, 4, 5, 6))
    found = resampled(torch.from_numpy(images), *torch.from_numpy(places)).numpy()
    expected = [ndimage.map_coordinates(image, places[:, case], order=1, mode="grid-constant") for case, image in enumerate(images)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_digits_are_turned_by_angles_uniform_over_the_circle():
    angles = varied_digits.angles_of(20_000, seed=3)
    assert stats.kstest(angles.numpy() / (2 * np.pi), "uniform").pvalue > 1e-3
    plain, labels = everything(generate("basic", seed=3, cases=CASES))
    turned, same = everything(generate("rot", seed=3, cases=CASES))
    assert torch.equal(labels, same)
    degrees = np.rad2deg(varied_digits.angles_of(200, seed=3).numpy())
    for case in (0, 7, 199):
        expected = ndimage.rotate(plain[case].numpy(), degrees[case], reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(turned[case].numpy(), expected, atol=2e-5)


def test_the_noise_is_uniform_and_under_the_digit():
    plain, _ = everything(generate("basic", cases=CASES))
    noisy, _ = everything(generate("bg-rand", cases=CASES))
    assert bool((noisy >= plain).all())
    assert stats.kstest(noisy[plain == 0].numpy()[:50_000], "uniform").pvalue > 1e-3
    covered = noisy[plain > 0]
    assert bool(((covered == plain[plain > 0]) | (covered > plain[plain > 0])).all())
    assert abs(np.corrcoef(noisy[:, 0, :-1].flatten(), noisy[:, 0, 1:].flatten())[0, 1]) < 0.05


def is_patch(patch, photographs):
    """Whether these pixels, (28, 28) bytes with -1 for any, are a patch of a photograph."""
    for photograph in photographs:
        windows = np.lib.stride_tricks.sliding_window_view(photograph.numpy(), (28, 28))
        if ((windows == patch) | (patch < 0)).all((2, 3)).any():
            return True
    return False


@pytest.mark.parametrize(("name", "below"), [("bg-img", "basic"), ("rot-bg-img", "rot")])
def test_backgrounds_are_textured_patches_under_the_digit(name, below):
    plain, labels = everything(generate(below, cases=CASES))
    images, same = everything(generate(name, cases=CASES))
    assert torch.equal(labels, same)
    assert bool((images >= plain).all())
    grey = np.rint(images.numpy() * 255).astype(int)
    for case in range(0, 200, 20):
        assert is_patch(np.where(plain[case].numpy() == 0, grey[case], -1), PHOTOGRAPHS)


def test_patches_of_low_variance_are_left_out():
    halves = torch.zeros(28, 200, dtype=torch.uint8)
    halves[:, 100:] = torch.arange(28, dtype=torch.uint8).unsqueeze(1) * 9
    found = varied_digits.textured([halves], 3000, seed=0)
    assert (found.shape, found.dtype) == ((3000, 28, 28), torch.float32)
    assert found.flatten(1).std(1, correction=0).min() >= varied_digits.LEAST_DEVIATION
    assert found[:, -1, -1].min() > 0.9  # no patch of the even half alone
    with pytest.raises(ValueError, match=r"too little texture: of 84 patches only 0 have enough"):
        varied_digits.textured([torch.full((40, 40), 9, dtype=torch.uint8)], 10, seed=0)


def test_outlines_of_rectangles_against_their_labels():
    images, labels = rectangles.outlines(4000, seed=2)
    heights, widths = [], []
    for image, label in zip(images.numpy(), labels.tolist(), strict=True):
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        expected = np.zeros((28, 28))
        expected[rows[0] : rows[-1] + 1, [columns[0], columns[-1]]] = 1
        expected[[rows[0], rows[-1]], columns[0] : columns[-1] + 1] = 1
        assert (image == expected).all()
        heights.append(len(rows) if len(rows) > 2 else rows[-1] - rows[0] + 1)
        widths.append(columns[-1] - columns[0] + 1)
        assert label == (widths[-1] > np.ptp(rows) + 1)
    heights, widths = np.array(heights), np.array(widths)
    assert np.abs(heights - widths).min() == 3
    sides = [(h, w) for h in range(1, 29) for w in range(1, 29) if abs(h - w) >= 3]
    counts = np.zeros((29, 29))
    np.add.at(counts, (heights, widths), 1)
    assert stats.chisquare([counts[side] for side in sides]).pvalue > 1e-3  # every pair of sides alike


def test_rectangles_are_anywhere_alike():
    found = rectangles.drawn(40_000, rectangles.OUTLINES, seed=0)
    some = found.height == 20
    assert stats.chisquare(np.bincount(found.top[some].numpy(), minlength=9)).pvalue > 1e-3
    assert int((found.top + found.height).max()) == 28
    assert int((found.left + found.width).max()) == 28


def test_filled_rectangles_have_the_published_sizes_and_two_patches():
    found = rectangles.drawn(20_000, rectangles.FILLED, seed=1)
    area = found.height * found.width / 784
    assert (found.height.min(), found.width.min()) == (10, 10)
    assert (found.height - found.width).abs().min() == 5
    assert 0.25 <= area.min() < 0.26
    assert 0.72 < area.max() <= 0.75
    assert abs(found.wide.double().mean().item() - 0.5) < 4 * 0.5 / np.sqrt(20_000)
    images, labels = rectangles.filled_from(PHOTOGRAPHS, 50, seed=1)
    where = rectangles.drawn(50, rectangles.FILLED, varied_digits.derive(1, 5))
    assert torch.equal(labels, where.wide)
    grey = np.rint(images.numpy() * 255).astype(int)
    for case in range(0, 50, 5):
        inside = where.inside()[case].numpy()
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert (where.height[case], where.width[case]) == (len(rows), len(columns))
        assert is_patch(np.where(inside, grey[case], -1), PHOTOGRAPHS)
        assert is_patch(np.where(inside, -1, grey[case]), PHOTOGRAPHS)
        assert not is_patch(grey[case], PHOTOGRAPHS)


def hull_has_no_other_pixel(region):
    """By Delaunay triangulation: which pixels' centres are in a triangle of the region's."""
    inside = np.argwhere(region)
    every = np.argwhere(np.ones(region.shape))
    try:
        filled = Delaunay(inside).find_simplex(every, tol=1e-9) >= 0
    except QhullError:  # the pixels are on one line
        return len(inside) == np.ptp(inside, axis=0).max() + 1
    return filled.sum() == len(inside)


def test_convexity_against_a_triangulation():
    images, labels = convex_sets.regions(200, seed=4)
    assert set(images.unique().tolist()) == {0, 1}
    for image, label in zip(images.numpy(), labels.tolist(), strict=True):
        assert hull_has_no_other_pixel(image) == (label == 1)
        assert image.sum() >= 80


def test_the_test_of_convexity_on_small_sets():
    """All sets of 3 x 4 pixels but the empty one, and random ones that lack a pixel of a convex region."""
    every = (np.arange(1, 2**12)[:, None] >> np.arange(12)) & 1
    sets = every.reshape(-1, 3, 4).astype(bool)
    found = convex_sets.is_convex(torch.from_numpy(sets)).numpy()
    thin = np.array([np.linalg.matrix_rank(np.argwhere(one) - np.argwhere(one)[0]) < 2 for one in sets])
    expected = np.array([hull_has_no_other_pixel(one) for one in sets[~thin]])
    np.testing.assert_array_equal(found[~thin], expected)
    on_a_line = []
    for one in sets[thin]:
        points = np.argwhere(one)
        step = points[-1] - points[0]
        on_a_line.append(len(points) == np.gcd(*step) + 1 and abs(step[0]) <= np.gcd(*step))  # from first to last, without empty rows
    np.testing.assert_array_equal(found[thin], on_a_line)
    regions = convex_sets.intersections(60, (2, 5), 80, torch.Generator().manual_seed(0)).numpy()
    for region in regions:
        inner = np.argwhere(region)[RNG.integers(region.sum())]
        region[tuple(inner)] = False
    found = convex_sets.is_convex(torch.from_numpy(regions)).numpy()
    np.testing.assert_array_equal(found, [hull_has_no_other_pixel(region) for region in regions])


def test_classes_of_regions_do_not_differ_by_their_size():
    images, labels = convex_sets.regions(2000, seed=5)
    area = images.sum((1, 2))
    assert abs(labels.double().mean().item() - 0.5) < 4 * 0.5 / np.sqrt(2000)
    assert area[labels == 1].mean() == pytest.approx(area[labels == 0].mean().item(), rel=0.08)
    ordered = labels[area.argsort()].double() * 2 - 1
    assert (0.5 + ordered.cumsum(0).abs().max() / 2000) < 0.6  # by a threshold on the size alone


def test_numbers_of_cases_are_checked():
    for cases in ((10, 0, 10), (10, 10), (10, 10, 5.5), 100, "abc"):
        with pytest.raises(ValueError, match=r"three numbers of at least 1, for training, validation and test"):
            generate("rect", cases=cases)
    with pytest.raises(ValueError, match="'digits' is none of the eight"):
        generate("digits")


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and all((Path(folder) / name).is_dir() for name in ("mnist", "natural-images"))


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or lacks mnist or natural-images")
def test_of_the_real_files(monkeypatch):
    monkeypatch.undo()
    found = generate("bg-img", cases=(500, 100, 400))
    assert found.train.labels.unique().tolist() == list(range(10))
    ink = found.train.images.reshape(-1, 28, 28)[:, 4:24, 4:24].amax((1, 2))
    assert (ink > 0.95).double().mean() > 0.99  # a digit is there, whatever is under it

"""Shifted images are the images moved as NumPy moves them, by all shifts alike."""

import numpy as np
import pytest
import torch

import harmonium as hm

SHAPE = (5, 4)
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(1, 256, size=(3, 20)).astype(np.uint8))


def moved(image, down, across, ground):
    padded = np.pad(image, 2, constant_values=ground)
    return padded[2 - down : 7 - down, 2 - across : 6 - across]


def test_every_shift_as_often_and_nothing_else():
    source = hm.data.Shifted(IMAGES, most=2, shape=SHAPE, ground=-1.0)
    found = source.rows(torch.ones(20_000, dtype=torch.long), torch.Generator().manual_seed(0)).numpy()
    image = IMAGES[1].numpy().reshape(SHAPE) / np.float32(255)
    counts = []
    for down in range(-2, 3):
        for across in range(-2, 3):
            expected = moved(image, down, across, -1.0).ravel()
            counts.append((np.abs(found - expected).max(1) < 1e-6).sum())
    assert sum(counts) == 20_000
    assert np.abs(np.array(counts) - 800).max() < 4.5 * np.sqrt(800 * 24 / 25)


def test_rows_differ_from_visit_to_visit_and_repeat_with_the_generator():
    source, indices = hm.data.Shifted(IMAGES.float(), most=1, shape=SHAPE), torch.tensor([2, 0, 2, 1] * 10)
    generator = torch.Generator().manual_seed(1)
    first, second = source.rows(indices, generator), source.rows(indices, generator)
    assert not torch.equal(first, second)
    assert torch.equal(first, source.rows(indices, torch.Generator().manual_seed(1)))
    assert (source.shape, len(source)) == ((3, 20), 3)


def test_a_shift_of_zero_changes_nothing():
    source = hm.data.Shifted(IMAGES.double(), most=0, shape=SHAPE)
    assert torch.equal(source.rows(torch.tensor([2, 0]), torch.Generator()), IMAGES[[2, 0]].float())


def test_planes_move_together_and_half_of_the_images_are_turned():
    """Against NumPy: each of nine shifts of either hand as often (4.5 standard errors), and nothing else."""
    shape = (3, 4, 5)
    images = np.random.default_rng(1).random((2, 60), dtype=np.float32)
    source = hm.data.Shifted(images, most=1, shape=shape, mirrored=True)
    found = source.rows(torch.zeros(18_000, dtype=torch.long), torch.Generator().manual_seed(2)).numpy()
    counts = []
    for image in (images[0].reshape(shape), images[0].reshape(shape)[:, :, ::-1]):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        for down in range(3):
            for across in range(3):
                expected = padded[:, down : down + 4, across : across + 5].ravel()
                counts.append((found == expected).all(1).sum())
    assert sum(counts) == 18_000
    assert np.abs(np.array(counts) - 1000).max() < 4.5 * np.sqrt(1000 * 17 / 18)


@pytest.mark.parametrize(
    ("images", "settings", "message"),
    [
        (IMAGES, {"most": 4, "shape": SHAPE}, r"by 0 to 3 whole pixels at most, found most=4"),
        (IMAGES, {"most": 1.5, "shape": SHAPE}, "found most=1.5"),
        (IMAGES, {"most": -1, "shape": SHAPE}, "found most=-1"),
        (
            IMAGES,
            {"most": 1, "shape": (4, 4)},
            r"images of shape \(4, 4\) are \(cases, height x width\), or .* in colour, at least one case, found \(3, 20\)",
        ),
        (IMAGES[:0], {"most": 1, "shape": SHAPE}, "at least one case"),
    ],
)
def test_what_cannot_be_shifted(images, settings, message):
    with pytest.raises(ValueError, match=message):
        hm.data.Shifted(images, **settings)

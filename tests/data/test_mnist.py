import os
from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.data import binarise, mnist

from .idx_files import idx_bytes, write, write_blank_images, write_labels

NAMES = [name.removesuffix(".gz") for name in mnist.FILES]


@pytest.fixture
def folder(tmp_path):
    """The real format and the real counts of each digit, but black images: the first pixel tells the set."""
    write_blank_images(tmp_path / NAMES[0], 60_000, pixel=1)
    write_labels(tmp_path / NAMES[1], mnist.TRAIN_COUNTS)
    write_blank_images(tmp_path / NAMES[2], 10_000, pixel=2)
    write_labels(tmp_path / NAMES[3], mnist.TEST_COUNTS)
    return tmp_path


def test_the_four_files_become_a_data_set(folder):
    data = mnist.load(folder)
    assert (data.name, data.image_shape, data.classes) == ("mnist", (28, 28), 10)
    assert (data.train_images.shape, data.test_images.shape) == ((60_000, 784), (10_000, 784))
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == torch.int64
    assert (int(data.train_images[0, 0]), int(data.test_images[0, 0])) == (1, 2)
    assert tuple(data.train_labels.bincount().tolist()) == mnist.TRAIN_COUNTS
    assert tuple(data.test_labels.bincount().tolist()) == mnist.TEST_COUNTS


def elsewhere(labels, found):
    """The counts with one label of 0 turned into another."""
    counts = list(labels) + [0] * (found + 1 - len(labels))
    counts[0] -= 1
    counts[found] += 1
    return counts


FAULTS = {
    "too few images": (0, lambda path: write_blank_images(path, 59_999), r"expected \(60000, 28, 28\) uint8 .*59999"),
    "test images": (0, lambda path: write_blank_images(path, 10_000), r"found \(10000, 28, 28\)"),
    "training images": (2, lambda path: write_blank_images(path, 60_000), r"expected \(10000, 28, 28\)"),
    "labels as images": (0, lambda path: write_labels(path, mnist.TRAIN_COUNTS), "mislabelled"),
    "images as labels": (1, lambda path: write_blank_images(path, 60_000), "mislabelled"),
    "another size": (2, lambda path: write(path, idx_bytes(np.zeros((10, 32, 32), np.uint8))), r"\(10, 32, 32\)"),
    "another type": (3, lambda path: write(path, idx_bytes(np.zeros(10_000, np.int32))), "int32"),
    "fewer labels": (3, lambda path: write_labels(path, [1000] * 9), r"expected \(10000,\) .*found \(9000,\)"),
    "label ten": (3, lambda path: write_labels(path, elsewhere(mnist.TEST_COUNTS, 10)), "from 0 to 9, found 10"),
    "clothes": (
        1,
        lambda path: write_labels(path, [6000] * 10),
        "expected .*5923.* cases of the digits .*found .*6000",
    ),
    "one wrong label": (1, lambda path: write_labels(path, elsewhere(mnist.TRAIN_COUNTS, 3)), "found .*5922"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(folder, fault):
    which, rewrite, says = FAULTS[fault]
    rewrite(folder / NAMES[which])
    with pytest.raises(ValueError, match=says) as caught:
        mnist.load(folder)
    assert str(caught.value).startswith(f"{folder / NAMES[which]} is ")


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and all((Path(folder) / "mnist" / name).is_file() for name in mnist.FILES)


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or has no folder mnist with the four files")
def test_the_real_files():
    data = mnist.load()
    assert tuple(data.train_labels.bincount().tolist()) == mnist.TRAIN_COUNTS
    assert tuple(data.test_labels.bincount().tolist()) == mnist.TEST_COUNTS
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    # The mean and deviation by which MNIST is customarily standardised, 0.1307 and 0.3081 of full ink.
    ink = data.train_images.double() / 255
    assert float(ink.mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(ink.std()) == pytest.approx(0.3081, abs=5e-5)

    pixels = data.test_images.numpy()
    expected = np.random.default_rng(30).random((10000, 784), dtype=np.float32) < pixels / 255
    assert binarise(data.test_images, "fixed", seed=30).numpy().tobytes() == expected.astype(np.uint8).tobytes()

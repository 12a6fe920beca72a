import hashlib

import numpy as np
import torch
from sklearn.datasets import load_digits

from harmonium.data import digits


def test_the_split_is_stratified_shuffled_and_whole():
    data = digits.load()
    assert (data.name, data.image_shape, data.classes) == ("digits", (8, 8), 10)
    assert (data.train_images.shape, data.test_images.shape) == ((1497, 64), (300, 64))
    values, labels = load_digits(return_X_y=True)
    expected = sorted([*(round(255 * x / 16) for x in row), label] for row, label in zip(values, labels, strict=True))
    images = torch.cat([data.train_images, data.test_images])
    both = torch.cat([data.train_labels, data.test_labels])
    found = sorted([*row, label] for row, label in zip(images.tolist(), both.tolist(), strict=True))
    assert found == expected
    # In proportion: no class is more than one case away from its share of the test set.
    share = np.bincount(labels) * 300 / 1797
    assert np.abs(data.test_labels.bincount().numpy() - share).max() < 1
    assert data.train_labels[:20].unique().numel() > 5


def test_grey_levels_span_the_byte():
    data = digits.load()
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    assert data.train_labels.dtype == data.test_labels.dtype == torch.int64
    assert data.train_images.unique().tolist() == [round(255 * x / 16) for x in range(17)]


def test_the_split_never_changes():
    data = digits.load()
    sums = [hashlib.sha256(images.numpy().tobytes()).hexdigest() for images in (data.train_images, data.test_images)]
    assert sums == [
        "ba5b043f46d828f60fb81e288436cb84c2ee22c3feeb84fa6806ed04c55c58f7",
        "07dbd5ad65fcd2341f2fab62fd77c1da7cd6a3f73c404d6f4ce2bed8260ee487",
    ]

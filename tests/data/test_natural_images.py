import os
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imsave
from PIL import Image

from harmonium.data import natural_images, patches, whiten, without_mean

NAMES = list(natural_images.FILES)


@pytest.fixture
def folder(tmp_path):
    """The real format and sizes: photograph n is of grey n, but for one pixel."""
    (tmp_path / "hyvarinen").mkdir()
    for number, name in enumerate(NAMES, 1):
        image = np.full((256, 512) if number % 2 else (512, 256), number, np.uint8)
        image[3, 200] = 255
        Image.fromarray(image).save(tmp_path / name)
    return tmp_path


def test_the_photographs_come_in_their_order(folder):
    images = natural_images.load(folder)
    assert [int(image[0, 0]) for image in images] == list(range(1, 14))
    assert [tuple(image.shape) for image in images[:2]] == [(256, 512), (512, 256)]
    assert all(image.dtype == torch.uint8 and int(image[3, 200]) == 255 for image in images)


def test_a_photograph_that_is_not_the_books_is_named(folder):
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(folder / NAMES[4])
    with pytest.raises(ValueError, match=r"5\.tiff is not the book's: expected 256 x 512 .*found \(10, 20\)"):
        natural_images.load(folder)
    imsave(folder / NAMES[4], np.zeros((256, 512, 3)), format="tiff")
    with pytest.raises(ValueError, match=r"5\.tiff is not the book's: .*found \(256, 512, 4\)"):
        natural_images.load(folder)
    (folder / NAMES[4]).write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"5\.tiff is not a readable image"):
        natural_images.load(folder)


def test_what_is_nowhere_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"put hyvarinen/1\.tiff, .*13\.tiff into a folder"):
        natural_images.load(tmp_path)


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and all((Path(folder) / "natural-images" / name).is_file() for name in NAMES)


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or has no natural-images/hyvarinen")
def test_the_real_files():
    images = natural_images.load()
    assert len(images) == 13
    assert {tuple(image.shape) for image in images} == {(256, 512), (512, 256)}
    some = without_mean(patches(images, 8, 5000))
    neighbours = torch.corrcoef(some.T)[0, 1]
    assert neighbours > 0.7
    white, _ = whiten(some)
    assert torch.corrcoef(white.T)[0, 1].abs() < 0.3
    kurtosis = (white / white.std(0)).pow(4).mean()
    assert kurtosis > 4  # of a Gaussian: 3

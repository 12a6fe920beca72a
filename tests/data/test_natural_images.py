import os
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imsave
from PIL import Image

from harmonium.data import natural_images
from harmonium.data.natural_images import patches, whitening, without_mean

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


def test_patches_are_windows_drawn_evenly():
    """Of images whose pixel says where it is: 1000 · image + 20 · row + column."""
    place = torch.arange(6)[:, None] * 20 + torch.arange(11)
    images = [place, 1000 + place[:, :5]]
    found = patches(images, 3, 6000, generator=torch.Generator().manual_seed(0))
    assert (found.shape, found.dtype) == ((6000, 9), torch.int64)
    window = (torch.arange(3)[:, None] * 20 + torch.arange(3)).flatten()
    corner = found[:, 0]
    assert torch.equal(found, corner[:, None] + window)
    which, row, column = corner // 1000, corner % 1000 // 20, corner % 20
    assert which.bincount().tolist() == pytest.approx([3000, 3000], abs=4 * np.sqrt(1500))
    assert row.bincount(minlength=4).tolist() == pytest.approx([1500] * 4, abs=4 * np.sqrt(1500))
    assert column[which == 0].bincount(minlength=9).tolist() == pytest.approx([333] * 9, abs=80)
    assert set(column[which == 1].tolist()) == {0, 1, 2}
    again = patches(images, 3, 6000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(found, again)


@pytest.mark.parametrize("size", [0, 6])
def test_patches_that_do_not_fit_are_refused(size):
    with pytest.raises(ValueError, match="expected a size from 1 to 5"):
        patches([torch.zeros(6, 5)], size, 3, generator=torch.Generator())


def correlated(cases=500, size=6):
    draw = np.random.default_rng(0)
    return torch.tensor(draw.normal(size=(cases, size)) @ draw.normal(size=(size, size)) + 5)


def test_whitened_data_have_unit_covariance_and_turn_as_little_as_can_be():
    data = correlated()
    white = whitening(data, ridge=0.0)
    found = white(data).numpy()
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(6), atol=1e-9)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(white.matrix, white.matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(white.matrix).min() > 0


def test_a_ridge_is_added_to_each_directions_variance():
    data = without_mean(correlated())
    variances = np.linalg.eigvalsh(np.cov(data.numpy().T, bias=True))
    assert variances[0] == pytest.approx(0, abs=1e-12)
    white = np.linalg.eigvalsh(np.cov(whitening(data, ridge=0.1)(data).numpy().T, bias=True))
    np.testing.assert_allclose(np.sort(white), np.sort(variances / (variances + 0.1 * variances.mean())), atol=1e-9)
    with pytest.raises(ValueError, match="give a ridge above 0"):
        whitening(data, ridge=0.0)


def test_the_same_matrix_serves_other_data_of_any_type():
    images = (correlated() * 20).clamp(0, 255).to(torch.uint8)
    white = whitening(images)
    assert white.mean.dtype == torch.float32 == white(images).dtype
    other = images[:3].flip(0)
    torch.testing.assert_close(white(other), ((other.double() - white.mean) @ white.matrix.double()).float(), rtol=1e-4, atol=1e-4)
    assert without_mean(images).mean(1).abs().max() < 1e-5


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and all((Path(folder) / "natural-images" / name).is_file() for name in NAMES)


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or has no natural-images/hyvarinen")
def test_the_real_files():
    images = natural_images.load()
    assert len(images) == 13
    assert {tuple(image.shape) for image in images} == {(256, 512), (512, 256)}
    draw = torch.Generator().manual_seed(0)
    some = without_mean(patches(images, 8, 5000, generator=draw))
    neighbours = torch.corrcoef(some.T)[0, 1]
    assert neighbours > 0.7
    white = whitening(some)(some)
    assert torch.corrcoef(white.T)[0, 1].abs() < 0.1
    kurtosis = (white / white.std(0)).pow(4).mean()
    assert kurtosis > 4  # of a Gaussian: 3

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from harmonium.data import cbcl_faces

NAME = "facesCBCL.mat"


def grey(pixel=7):
    """Black images of the real shape, but for one pixel of the third."""
    images = np.zeros(cbcl_faces.SHAPE)
    images[2, 5, 2] = pixel / 255
    return images


def test_the_file_becomes_rows_of_grey_levels(tmp_path):
    savemat(tmp_path / NAME, {"X": grey()}, do_compression=True)
    images = cbcl_faces.load(tmp_path)
    assert (images.shape, images.dtype) == ((2429, 361), torch.uint8)
    assert (images[2, 2 * 19 + 5], int(images.sum())) == (7, 7)


FAULTS = {
    "no array": ({"Y": np.zeros(3)}, "expected an array X of .*found none"),
    "fewer faces": ({"X": np.zeros((19, 19, 10))}, r"expected an array X of \(19, 19, 2429\) float64 values, found \(19, 19, 10\)"),
    "another type": ({"X": np.zeros(cbcl_faces.SHAPE, np.uint8)}, "found .* of uint8"),
    "levels to 255": ({"X": 255 * grey(255)}, "expected grey levels k / 255, found values from 0 to 255"),
    "between levels": ({"X": grey(7.5)}, "expected grey levels k / 255"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, fault):
    content, says = FAULTS[fault]
    savemat(tmp_path / NAME, content, do_compression=True)
    with pytest.raises(ValueError, match=says) as caught:
        cbcl_faces.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / NAME} is ")


def test_a_file_of_another_format_is_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"P5 19 19 255\n" * 40)
    with pytest.raises(ValueError, match="is not a readable MATLAB file"):
        cbcl_faces.load(tmp_path)


def test_what_is_nowhere_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=rf"put {NAME} into a folder"):
        cbcl_faces.load(tmp_path)


def real_file():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and (Path(folder) / "cbcl-faces" / NAME).is_file()


@pytest.mark.skipif(not real_file(), reason=f"HARMONIUM_DATA is not set, or has no cbcl-faces/{NAME}")
def test_the_real_file():
    images = cbcl_faces.load()
    assert (int(images.min()), int(images.max()), len(images.unique())) == (0, 255, 256)
    assert images[0, :4].tolist() == [104, 122, 142, 159]
    faces = images.reshape(-1, 19, 19).double()
    assert (faces - faces.flip(2)).abs().mean() < (faces - faces.flip(1)).abs().mean()  # faces stand upright: alike left and right

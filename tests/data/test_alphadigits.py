import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from harmonium.data import alphadigits

NAME = "binaryalphadigs.mat"


def cells(change=None, classes=36):
    """Blank images, but for one pixel of the third example of class B; `change` replaces the last image."""
    found = np.empty((classes, 39), object)
    for place in np.ndindex(found.shape):
        found[place] = np.zeros((20, 16), np.uint8)
    found[min(11, classes - 1), 2][3, 5] = 1
    if change is not None:
        found[-1, -1] = change
    return found


def test_cells_become_rows_class_by_class(tmp_path):
    savemat(tmp_path / NAME, {"dat": cells()})
    images, labels, classes = alphadigits.load(tmp_path)
    assert (images.shape, images.dtype, labels.dtype) == ((1404, 320), torch.bool, torch.int64)
    assert images.nonzero().tolist() == [[11 * 39 + 2, 3 * 16 + 5]]
    assert classes[labels[11 * 39 + 2]] == "B"
    assert labels.bincount().tolist() == [39] * 36


FAULTS = {
    "no cells": ({"dat": np.zeros((36, 39))}, r"expected a cell array dat of \(36, 39\), found \(36, 39\) of float64"),
    "another name": ({"data": cells()}, "expected a cell array dat of .*found none"),
    "fewer classes": ({"dat": cells(classes=10)}, r"found \(10, 39\) of object"),
    "another size": ({"dat": cells(np.zeros((16, 20)))}, r"is damaged: expected images of \(20, 16\) zeros and ones"),
    "grey levels": ({"dat": cells(np.full((20, 16), 0.5))}, "is damaged"),
    "text": ({"dat": cells("A")}, "is damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, fault):
    content, says = FAULTS[fault]
    savemat(tmp_path / NAME, content)
    with pytest.raises(ValueError, match=says) as caught:
        alphadigits.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / NAME} is ")


def test_a_file_of_another_format_is_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"P5 20 16 255\n" * 40)
    with pytest.raises(ValueError, match="is not a readable MATLAB file"):
        alphadigits.load(tmp_path)


def real_file():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and (Path(folder) / "binary-alphadigits" / NAME).is_file()


@pytest.mark.skipif(not real_file(), reason=f"HARMONIUM_DATA is not set, or has no binary-alphadigits/{NAME}")
def test_the_real_file():
    """A 1 has ink in the middle, and a 0 has none; the letter O is the digit."""
    images, labels, classes = alphadigits.load()
    assert images.any(1).all()
    pictures = images.reshape(-1, 20, 16).float()
    assert pictures[labels == classes.index("1")].mean(0)[8:12, 7:9].min() > 0.8
    assert pictures[labels == classes.index("0")].mean(0)[8:12, 7:9].max() < 0.3
    assert torch.equal(*(images[labels == classes.index(name)].unique(dim=0) for name in "0O"))

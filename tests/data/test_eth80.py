import os
from pathlib import Path

import numpy as np
import pytest
import torch

from harmonium.data import eth80

NAMES = np.array(["apple", "car", "cow", "cup", "dog", "horse", "pear", "tomato"])


def content():
    """The real format and sizes: each view is even, of the number of its category, with a mask of one pixel."""
    category = np.repeat(np.arange(8, dtype=np.int8), 410)
    instance = np.tile(np.repeat(np.array([1, 2, 3, 4, 5, 6, 7, 9, 12, 14], np.int16), 41), 8)
    images = np.broadcast_to(category.astype(np.uint8)[:, None, None], (3280, 96, 96)).copy()
    images[50, 2, 5] = 200
    masks = np.zeros((3280, 96, 12), np.uint8)
    masks[50, 2, 0] = 0b00000100
    azimuth, elevation = np.tile(np.arange(41, dtype=np.int16), 80), np.full(3280, 90, np.int16)
    return {"images": images, "masks": masks, "category": category, "instance": instance} | {
        "elevation": elevation,
        "azimuth": azimuth,
        "categories": NAMES,
    }


def write(folder, **arrays):
    path = folder / "eth80_grey_96.npz"
    np.savez(path, **arrays)
    return path


def test_views_in_their_order_row_by_row(tmp_path):
    write(tmp_path, **content())
    views = eth80.load(tmp_path)
    assert (views.images.shape, views.images.dtype) == ((3280, 9216), torch.uint8)
    assert (views.masks.shape, views.masks.dtype) == ((3280, 9216), torch.bool)
    assert views.masks.nonzero().tolist() == [[50, 2 * 96 + 5]]
    assert (views.images == 200).nonzero().tolist() == [[50, 2 * 96 + 5]]
    assert torch.equal(views.images[:, 0].long(), views.categories)
    assert torch.equal(views.toys, torch.arange(80).repeat_interleave(41))
    assert views.azimuths[:50].tolist() == [*range(41), *range(9)]
    assert views.names == NAMES.tolist()


def test_toys_are_held_out_whole(tmp_path):
    write(tmp_path, **content())
    views = eth80.load(tmp_path)
    kept, held = views.by_toy(held_out=3, seed=1)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(3280))
    assert not set(views.toys[kept].tolist()) & set(views.toys[held].tolist())
    for seed in range(8):
        assert torch.bincount(views.categories[views.by_toy(held_out=3, seed=seed)[1]]).tolist() == [3 * 41] * 8
    assert torch.equal(views.by_toy(held_out=3, seed=1)[1], held)
    assert not torch.equal(views.by_toy(held_out=3, seed=2)[1], held)
    for count in (0, 10):
        with pytest.raises(ValueError, match=f"1 to 9 can be held out, found held_out={count}"):
            views.by_toy(count)


FAULTS = {
    "an array less": ({"azimuth": None}, "another file: expected arrays called .* and azimuth is not there"),
    "another size": ({"images": np.zeros((3280, 64, 64), np.uint8)}, r"expected images of shape \(3280, 96, 96\), found \(3280, 64, 64\)"),
    "another type": ({"elevation": np.full(3280, "9")}, r"expected elevation of shape \(3280,\), found \(3280,\) of <U1"),
    "objects": ({"category": np.zeros(3280, object)}, "is not a readable .npz file of numbers and names"),
    "other names": ({"categories": NAMES[::-1]}, "expected the categories apple, car, .* found tomato"),
    "other toys": ({"instance": np.zeros(3280, np.int16)}, "expected 41 views of each of 10 toys in each of 8 categories"),
    "no angle": ({"azimuth": np.full(3280, np.nan)}, "azimuths from 0 to 360 degrees"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, fault):
    changed, says = FAULTS[fault]
    path = write(tmp_path, **{name: array for name, array in (content() | changed).items() if array is not None})
    with pytest.raises(ValueError, match=says) as caught:
        eth80.load(tmp_path)
    assert str(caught.value).startswith(str(path))


def test_what_is_no_archive_and_what_is_nowhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"put eth80_grey_96\.npz into a folder"):
        eth80.load(tmp_path)
    (tmp_path / "eth80_grey_96.npz").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match=r"is not a readable \.npz file"):
        eth80.load(tmp_path)


def real_files():
    folder = os.environ.get("HARMONIUM_DATA")
    return folder and (Path(folder) / "eth-80" / "eth80_grey_96.npz").is_file()


@pytest.mark.skipif(not real_files(), reason="HARMONIUM_DATA is not set, or has no eth-80/eth80_grey_96.npz")
def test_the_real_file():
    """Toys fill the middle of the image, and of each toy there are the same 41 directions."""
    views = eth80.load()
    share = views.masks.double().mean(1)
    assert 0.02 < share.min() < share.max() < 0.6
    assert views.masks.reshape(-1, 96, 96)[:, 44:52, 44:52].double().mean() > 0.85
    assert views.masks.reshape(-1, 96, 96)[:, 0].double().mean() < 0.01
    directions = {tuple(sorted(zip(views.elevations[n].tolist(), views.azimuths[n].tolist(), strict=True))) for n in toys_of(views)}
    assert len(directions) == 1
    assert sum(elevation == 90 for elevation, _ in next(iter(directions))) == 16


def toys_of(views):
    return [views.toys == toy for toy in range(80)]

"""NORB's loader on full-size files by an independent writer; its simplifications against arithmetic without the package."""

import numpy as np
import pytest
import torch

from harmonium.data import norb
from harmonium.data.joined import Joined
from tests.data.norb_files import header, jittered_norb, small_norb, write_integers

CELLS = [((7, 0, 20, 30), 9), ((7, 1, 95, 0), 200), ((24_299, 1, 0, 95), 17)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("norb")
    return folder, small_norb(folder, CELLS)


def test_small_norb(files):
    folder, facts = files
    train, test = norb.load("small", folder)
    assert train.images.shape == test.images.shape == (24_300, 2, 96, 96)
    images = train.images[[7, 24_299]]
    assert {tuple(index): int(images[tuple(index)]) for index in np.argwhere(images)} == {
        (0, 0, 20, 30): 9,
        (0, 1, 95, 0): 200,
        (1, 1, 0, 95): 17,
    }
    for part, (categories, given) in zip((train, test), facts.values(), strict=True):
        toys, elevations, azimuths, lightings = np.array(given).T
        assert part.categories.tolist() == categories
        assert part.toys.tolist() == toys.tolist()
        np.testing.assert_array_equal(part.elevations, 30 + 5 * elevations)
        np.testing.assert_array_equal(part.azimuths, 10 * azimuths)
        assert part.lightings.tolist() == lightings.tolist()
        assert part.changes.shape == (24_300, 0)
    assert not set(train.toys.tolist()) & set(test.toys.tolist())


def test_a_folder_named_norb_is_looked_into(files, tmp_path, monkeypatch):
    (tmp_path / "norb").symlink_to(files[0])
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path))
    assert len(norb.load().test.categories) == 24_300
    monkeypatch.delenv("HARMONIUM_DATA")
    with pytest.raises(FileNotFoundError, match=r"smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat is not on this machine \(no folder"):
        norb.load()
    with pytest.raises(FileNotFoundError, match=r"norb-5x46789x9x18x6x2x108x108-training-01-dat.mat is not on this machine \(not found"):
        norb.load("jittered", tmp_path)
    with pytest.raises(ValueError, match="found 'large'"):
        norb.load("large", tmp_path)  # type: ignore[arg-type]


def test_jittered_norb(tmp_path):
    jittered_norb(tmp_path)
    train, test = norb.load("jittered", tmp_path)
    assert (train.images.shape, test.images.shape) == ((291_600, 2, 108, 108), (58_320, 2, 108, 108))
    for number in range(10):
        assert train.images[[29_160 * number + 3]][0, 1, 2, 1] == number + 1
    assert (train.categories == torch.arange(29_160).remainder(6).repeat(10)).all()
    assert train.changes.shape == (291_600, 6)
    assert train.changes[29_160 * 4].tolist() == [-6, -5, -20, 0, 0, 5]


FAULTS = {
    "of another shape": (
        "dat",
        header("uint8", 3, 2, 96, 96) + bytes(3 * 2 * 96 * 96),
        "expected 24300 x 2 x 96 x 96 uint8 values, found 3 x 2",
    ),
    "of another type": ("cat", header("float32", 24_300) + bytes(4 * 24_300), "expected 24300 int32 values, found 24300 of float32"),
    "cut off": ("info", header("int32", 24_300, 4) + bytes(100), "is truncated"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_files_that_are_not_norbs(files, tmp_path, name):
    what, content, message = FAULTS[name]
    for path in files[0].iterdir():
        (tmp_path / path.name).symlink_to(path)
    path = tmp_path / f"smallnorb-5x46789x9x18x6x2x96x96-training-{what}.mat"
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        norb.load("small", tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [(0, 0, "are of other toys"), (1, 9, "none that there is"), (2, 3, "none that there is"), (3, -1, "none that there is")],
)
def test_facts_that_cannot_be(files, tmp_path, column, value, message):
    folder, facts = files
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    given = [list(row) for row in facts["training"][1]]
    given[11][column] = value
    path = tmp_path / "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat"
    path.unlink()
    write_integers(path, given)
    with pytest.raises(ValueError, match=message):
        norb.load("small", tmp_path)
    given[11] = given[12]
    write_integers(path, given)
    if facts["training"][0][11] == facts["training"][0][12]:
        with pytest.raises(ValueError, match="twice in the same direction and light"):
            norb.load("small", tmp_path)


def test_reduced_images_by_hand():
    draw = np.random.default_rng(0)
    pairs = draw.integers(150, 256, size=(5, 2, 96, 96)).astype(np.uint8)
    pairs[:, :, 30:60, 20:70] = draw.integers(0, 120, size=(5, 2, 30, 50))
    pairs[:, :, :, 60:] = 203  # the background's peak
    for camera in (0, 1):
        found = norb.reduced(torch.from_numpy(pairs), camera).numpy()
        for number in range(5):
            middle = pairs[number, camera, 16:80, 16:80].astype(float)
            small = np.array([[middle[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(32)] for i in range(32)])
            np.testing.assert_allclose(found[number].reshape(32, 32), np.maximum(203 - small, 0), atol=1e-4)
    joined = Joined([pairs[:2], pairs[2:]])
    assert torch.equal(norb.reduced(joined), norb.reduced(torch.from_numpy(pairs)))
    with pytest.raises(ValueError, match=r"expected pairs of shape \(pairs, 2, 96, 96\) and camera 0 or 1"):
        norb.reduced(torch.from_numpy(pairs), 2)
    with pytest.raises(ValueError, match="expected uint8 images, found float64"):
        norb.reduced(pairs / 255)


@pytest.mark.parametrize("side", [30, 12, 7, 1])
def test_shrunk_images_are_means_over_areas(side):
    pairs = np.random.default_rng(0).integers(0, 256, size=(3, 2, 36, 30)).astype(np.uint8)
    found = norb.shrunk(torch.from_numpy(pairs), side)
    fine = pairs.repeat(side, 2).repeat(side, 3).astype(float)  # each new pixel covers 36 x 30 of these
    expected = fine.reshape(3, 2, side, 36, side, 30).mean((3, 5))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    with pytest.raises(ValueError, match="at most as many pixels as they have"):
        norb.shrunk(torch.from_numpy(pairs), 200)


def test_joined_rows_are_those_of_the_arrays_end_to_end():
    draw = np.random.default_rng(0)
    parts = [draw.integers(0, 256, size=(rows, 2, 3)).astype(np.uint8) for rows in (4, 1, 5)]
    whole, joined = np.concatenate(parts), Joined(parts)
    assert (joined.shape, joined.dtype, len(joined)) == (whole.shape, whole.dtype, 10)
    for numbers in (slice(None), slice(3, 6), slice(9, 0, -2), [9, 0, 4, 4], np.array([], dtype=int), [-1]):
        np.testing.assert_array_equal(joined[numbers], whole[numbers])
    np.testing.assert_array_equal(joined.rows(torch.tensor([5, 0]), torch.Generator()), whole[[5, 0]])
    with pytest.raises(IndexError):
        joined[[10]]
    with pytest.raises(ValueError, match="arrays of one type"):
        Joined([parts[0], parts[1].astype(float)])

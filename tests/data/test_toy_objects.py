"""Toy objects as files, read back byte by byte without the package; moves and clutter; what is refused. Few views, so that it is quick."""

import itertools
from collections import namedtuple

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import norb, toy_objects
from harmonium.data.toys import cluttered
from tests.data.norb_files import header

TOYS = {"training": (4, 8), "testing": (0,)}
VIEWS = (2, 1, 2)  # elevations, azimuths, lightings
PAIRS = {"training": 5 * 2 * 4, "testing": 5 * 4}


@pytest.fixture
def few(monkeypatch):
    """Both sets with few toys and views."""
    for name, value in zip(("ELEVATIONS", "AZIMUTHS", "LIGHTINGS", "OF_A_TOY"), (*VIEWS, 4), strict=True):
        monkeypatch.setattr(norb, name, value)
    monkeypatch.setattr(norb, "TOYS", {part: toys[:1] for part, toys in TOYS.items()})
    monkeypatch.setattr(norb, "SMALL", 20)
    monkeypatch.setattr(norb, "OF_A_FILE", 24)
    monkeypatch.setattr(norb, "FILES", {"training": 3, "testing": 1})
    monkeypatch.setattr(cluttered, "GROUNDS", 3)
    monkeypatch.setattr(cluttered, "VIEWS", 1)


def values(path, kind, *sizes):
    content = path.read_bytes()
    start = header(kind, *sizes)
    assert content[: len(start)] == start
    return np.frombuffer(content[len(start) :], {"uint8": "u1", "int32": "<i4"}[kind]).reshape(sizes)


def test_small_files_have_every_pair_once_and_are_read(few, tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    assert toy_objects.write(tmp_path, seed=2, progress=False) is None
    names = {
        f"smallnorb-5x{toy}x9x18x6x2x96x96-{part}-{sort}.mat" for toy, part in ((4, "training"), (0, "testing")) for sort in norb.SORTS
    }
    assert {path.name for path in tmp_path.iterdir()} == names | {"mine.txt"}
    loaded = norb.load("small", tmp_path)
    for part, toy, read in (("training", 4, loaded.train), ("testing", 0, loaded.test)):
        stem = f"smallnorb-5x{toy}x9x18x6x2x96x96-{part}"
        images = values(tmp_path / f"{stem}-dat.mat", "uint8", 20, 2, 96, 96)
        categories = values(tmp_path / f"{stem}-cat.mat", "int32", 20)
        given = values(tmp_path / f"{stem}-info.mat", "int32", 20, 4)
        facts = [tuple(row) for row in np.column_stack([categories, given]).tolist()]
        assert sorted(facts) == list(itertools.product(range(5), [toy], range(2), [0], range(2)))
        assert facts != sorted(facts)
        for image, (category, number, elevation, azimuth, lighting) in zip(images, facts, strict=True):
            drawn = toy_objects.render(norb.NAMES[category], number, 30 + 5 * elevation, 10 * azimuth, lighting, seed=2)
            np.testing.assert_array_equal(image, drawn)
        np.testing.assert_array_equal(read.images[:], images)
        np.testing.assert_array_equal(read.categories, categories)
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_they_are_drawn_once_into_the_cache(few, tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    toy_objects.write(tmp_path / "own", seed=2, progress=False)
    for _ in range(2):
        found, own = toy_objects.load(seed=2, progress=False), norb.load("small", tmp_path / "own")
        np.testing.assert_array_equal(found.test.images[:], own.test.images[:])
        np.testing.assert_array_equal(found.train.categories, own.train.categories)
        monkeypatch.setattr(toy_objects, "write", None)
    assert [path.name for path in (tmp_path / "cache" / "toy-objects").iterdir()] == ["small-seed-2"]


def test_a_drawing_that_was_stopped_is_not_in_the_cache(few, tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path))
    monkeypatch.setattr(toy_objects, "_finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        toy_objects.load(progress=False)
    assert list((tmp_path / "toy-objects").iterdir()) == []


def test_equal_seeds_write_equal_bytes(few, tmp_path):
    for folder in ("a", "b"):
        toy_objects.write(tmp_path / folder, "jittered", 3, progress=False)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_jittered_files_have_every_pair_and_a_sixth_without_a_toy(few, tmp_path):
    toy_objects.write(tmp_path, "jittered", progress=False)
    loaded = norb.load("jittered", tmp_path)
    assert len(loaded.train.categories) == 72
    seen = set()
    for number in range(1, 4):
        stem = tmp_path / f"norb-5x4x9x18x6x2x108x108-training-{number:02}"
        images = values(stem.with_name(f"{stem.name}-dat.mat"), "uint8", 24, 2, 108, 108)
        categories = values(stem.with_name(f"{stem.name}-cat.mat"), "int32", 24)
        given = values(stem.with_name(f"{stem.name}-info.mat"), "int32", 24, 10)
        facts = [tuple(row) for row in np.column_stack([categories, given[:, :4]])[categories < 5].tolist()]
        assert sorted(facts) == list(itertools.product(range(5), [4], range(2), [0], range(2)))
        assert (given[categories == 5, 0] == -1).all()
        assert (categories == 5).sum() == 4
        assert (np.abs(given[:, 4:6]) <= 6).all()
        assert (np.abs(given[:, 6]) <= 20).all()
        assert ((given[:, 7] >= 80) & (given[:, 7] <= 130) & (given[:, 8] >= 78) & (given[:, 8] <= 100)).all()
        assert (np.abs(given[:, 9]) <= 5).all()
        assert (images.std((1, 2, 3)) > 5).all()
        seen.add(images.tobytes())
    assert len(seen) == 3


def test_toys_for_training_are_not_those_for_testing():
    every = [toy_objects._toys(part) for part in norb.TOYS]
    assert not set(every[0]) & set(every[1])
    assert sorted(every[0] + every[1]) == list(itertools.product(range(5), range(10)))
    images = [toy_objects.render("car", number, 40, 60, 0).numpy().tobytes() for number in range(10)]
    assert len(set(images)) == 10
    assert not torch.equal(toy_objects.render("car", 3, 40, 60, 0), toy_objects.render("car", 3, 40, 60, 0, seed=1))


def blob(right, down):
    """Layers of a soft dot beside the middle, the same for both cameras."""
    place = np.arange(108) - 53.5
    dot = np.exp(-((place - right) ** 2 + (place[:, None] - down) ** 2) / 18)
    return np.broadcast_to(np.stack([200 * dot, dot]), (2, 2, 108, 108)).astype(np.float32)


def test_toys_are_moved_as_their_changes_say():
    """A dot at (x, y) goes to shift + scale (x, y), turned to the left; brightness and contrast are those of all pixels."""
    clutter = cluttered.Clutter(np.full((1, 256, 256), 100, dtype=np.float32), np.zeros((8, 2, 2, 108, 108), dtype=np.float32))
    right, down = 22.0, -9.0
    shown = np.stack([blob(right, down)] * 200)
    pairs, changes = cluttered.jittered(shown, clutter, None, np.random.default_rng(0))
    assert (changes.min(0) == [-6, -6, -20, 80, 78, -5]).all()
    assert (changes.max(0) >= [6, 6, 19, 129, 100, 5]).all()
    for pair, (to_right, to_down, brightness, contrast, scale, turn) in zip(pairs.astype(float), changes, strict=True):
        assert pair[0, 0, 0] == pytest.approx(128 + contrast / 100 * (100 - 128) + brightness, abs=0.51)
        bright = pair[0] - pair[0, 0, 0]
        rows, columns = (np.indices((108, 108)) * bright).sum((1, 2)) / bright.sum() - 53.5
        angle = np.radians(turn)
        assert columns == pytest.approx(to_right + scale / 100 * (right * np.cos(angle) + down * np.sin(angle)), abs=0.3)
        assert rows == pytest.approx(to_down + scale / 100 * (-right * np.sin(angle) + down * np.cos(angle)), abs=0.3)
        assert bright.max() == pytest.approx(contrast, rel=0.12)  # 200 before a ground of 100


def test_no_toy_is_beside_itself():
    draw = np.random.default_rng(0)
    for own in range(5):
        found = cluttered._beside(5 * cluttered.VIEWS, 2000, own, draw) // cluttered.VIEWS
        assert set(found.tolist()) == set(range(5)) - {own}


def test_what_cannot_be_drawn_is_refused():
    for settings in (("boat", 0, 40, 0, 0), ("car", 10, 40, 0, 0), ("car", 0, 40, 0, 6)):
        with pytest.raises(ValueError, match="numbered from 0 to 9, in lightings from 0 to 5, found"):
            toy_objects.render(*settings)
    for elevation, azimuth in ((90, 0), (0, 0), (40, float("nan"))):
        with pytest.raises(ValueError, match="from 5 to 85 degrees above the plane"):
            toy_objects.render("car", 0, elevation, azimuth, 0)


def test_files_are_refused_before_anything_is_drawn(few, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r'have the kinds "small" and "jittered", as NORB has, found \'large\''):
        hm.data.toy_objects.write(tmp_path / "new", "large")  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()
    there = tmp_path / "smallnorb-5x0x9x18x6x2x96x96-testing-cat.mat"
    there.write_bytes(b"NORB's own")
    with pytest.raises(FileExistsError, match="is there already: name another folder"):
        hm.data.toy_objects.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [there.name]
    monkeypatch.setattr("shutil.disk_usage", lambda folder: namedtuple("Usage", "free")(10**6))
    with pytest.raises(OSError, match=r"toy objects need 0.1 GB in .*, found 0.0 GB free: name a folder on another disk"):
        hm.data.toy_objects.write(tmp_path / "other")


def test_a_writer_that_stops_leaves_nothing_behind(few, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(toy_objects, "write_binary_matrix", stopped)
    with pytest.raises(KeyboardInterrupt):
        toy_objects.write(tmp_path, progress=False)
    assert not list(tmp_path.iterdir())

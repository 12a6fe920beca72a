"""Small files in the format of the eight sets, and files that only look like them."""

import re
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from harmonium.data import amat, mnist_variations
from harmonium.data.amat import read_amat
from harmonium.data.mnist_variations import KINDS, NAMES, load

RNG = np.random.default_rng(0)


def table(cases, width=4, classes=3):
    return np.column_stack([RNG.integers(257, size=(cases, width)) / 256, np.arange(cases) % classes])


def write(path, rows, fmt="%.18e"):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, rows, fmt=fmt)
    return path


@pytest.mark.parametrize("fmt", ["%.18e", "%g", "   %.4f"])
def test_values_and_labels_are_those_of_the_file(tmp_path, fmt, monkeypatch):
    monkeypatch.setattr(amat, "ROWS", 3)
    rows = table(7)
    values, labels = read_amat(write(tmp_path / "a.amat", rows, fmt), cases=7, width=4, classes=3)
    assert (values.dtype, labels.dtype) == (torch.float32, torch.int64)
    np.testing.assert_allclose(values.numpy(), rows[:, :-1], atol=1e-7 if fmt == "%.18e" else 1e-4)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_blank_lines_and_other_ends_of_lines_do_not_matter(tmp_path):
    path = tmp_path / "a.amat"
    path.write_bytes(b"\n0 1.0 2\r\n   \n\t0.5\t.25  1")
    values, labels = read_amat(path, cases=2, width=2, classes=3)
    assert (values.tolist(), labels.tolist()) == ([[0, 1], [0.5, 0.25]], [2, 1])


FAULTS = {
    "a word": (b"0 1 2\n0 one 1\n", "line 2: expected numbers with white space between, found 'one'"),
    "a comment": (b"0 1 2\n# x 1\n", "line 2: expected numbers .*, found '#'"),
    "not NumPy's number": (b"0 1 2\n0 1_0 1\n", "line 2: expected numbers with white space between, found"),
    "a short line": (b"0 1 2\n\n0 1\n", "line 3: expected 2 values and a label, found 2 words"),
    "another width": (b"0 1 1 2\n0 0 1 1\n", "line 1: expected 2 values and a label, found 4 words"),
    "not a number": (b"0 1 2\n0 nan 1\n", "line 2: expected grey levels from 0 to 1, found nan"),
    "grey to 255": (b"0 255 2\n0 1 1\n", "line 1: expected grey levels from 0 to 1, found 255"),
    "below zero": (b"0 1 2\n-0.01 1 1\n", "line 2: expected grey levels from 0 to 1, found -0.01"),
    "no class": (b"0 1 2\n0 1 3\n", "line 2: expected a label from 0 to 2, found 3"),
    "half a class": (b"0 1 2\n0 1 0.5\n", "line 2: expected a label from 0 to 2, found 0.5"),
    "truncated": (b"0 1 2\n", "has 1 cases, and 2 were expected: it is truncated"),
    "empty": (b"", "has 0 cases, and 2 were expected"),
    "too many": (b"0 1 2\n" * 3, "has more than 2 cases"),
    "bytes": (bytes(range(128)), "line 1: expected 2 values and a label"),
    "one long line": (b"0 " * 200, "line 1: it is longer than any line"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, fault, packed):
    content, says = FAULTS[fault]
    path, member = tmp_path / "a.amat", None
    path.write_bytes(content)
    if packed:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "a.amat")
        path, member = tmp_path / "a.zip", "a.amat"
    with pytest.raises(ValueError, match=says) as caught:
        read_amat(path, cases=2, width=2, classes=3, member=member)
    assert str(path) in str(caught.value)


def test_a_file_of_any_size_takes_no_more_memory_than_its_name_promises(tmp_path):
    """An archive of 30 kB that unpacks to 30 MB, in one line and in many."""
    for content in (b"0" * 30_000_000, b"0 1 2\n" * 5_000_000):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.amat", content)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"longer than any line|more than 2 cases"):
                read_amat(tmp_path / "a.zip", cases=2, width=2, classes=3, member="a.amat")
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


def test_a_broken_archive_is_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.amat", b"0 1 2\n" * 1000)
    content = bytearray(path.read_bytes())
    content[45] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.amat in .*a\.zip cannot be read"):
        read_amat(path, cases=1000, width=2, classes=3, member="a.amat")


@pytest.fixture
def small(monkeypatch):
    """The eight sets with a few cases each."""
    for name, kind in KINDS.items():
        monkeypatch.setitem(mnist_variations.KINDS, name, kind._replace(cases=(4, 2, 3)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["folder", "own folder", "archive's folder", "archive"])
def test_a_set_is_read_from_its_original_files(tmp_path, small, name, place):
    kind = KINDS[name]
    train, test = table(6, 784, kind.classes), table(3, 784, kind.classes)
    stem = kind.archive.removesuffix(".zip")
    folder = {"folder": tmp_path, "archive": tmp_path / "unpacked"}.get(place, tmp_path / "mnist-variations")
    folder = folder / stem if place == "archive's folder" else folder
    names = [kind.files[0], f"50k/{kind.files[1]}" if name == "convex" else kind.files[1]]
    for file, rows in zip(names, (train, test), strict=True):
        write(folder / file, rows)
    if place == "archive":
        with zipfile.ZipFile(tmp_path / kind.archive, "w") as archive:
            for file in names:
                archive.write(folder / file, file)
    found = load(name, tmp_path)
    assert (found.name, found.generated, found.classes) == (name, False, kind.classes)
    assert found.description.endswith("the published images")
    for part, rows in ((found.train, train[:4]), (found.valid, train[4:]), (found.test, test)):
        np.testing.assert_allclose(part.images.numpy(), rows[:, :-1], atol=1e-7)
        assert part.labels.tolist() == rows[:, -1].tolist()


def test_the_published_sizes():
    sizes = {name: (kind.cases, kind.classes) for name, kind in KINDS.items()}
    assert {sizes[name] for name in ("basic", "rot", "bg-rand", "bg-img", "rot-bg-img")} == {((10_000, 2_000, 50_000), 10)}
    assert sizes["rect"] == ((1_000, 200, 50_000), 2)
    assert sizes["rect-img"] == ((10_000, 2_000, 50_000), 2)
    assert sizes["convex"] == ((6_000, 2_000, 50_000), 2)


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=re.escape("rectangles_train.amat is neither in")) as caught:
        load("rect", tmp_path)
    assert "nor is rectangles.zip that has it" in str(caught.value)
    assert "hm.data.mnist_variations.generate" in str(caught.value)
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"name the folder that holds convex_train\.amat, or convex\.zip"):
        load("convex")
    with pytest.raises(ValueError, match="'mnist-rot' is none of the eight data sets: expected one of basic, rot"):
        load("mnist-rot", tmp_path)
    with zipfile.ZipFile(tmp_path / "rectangles.zip", "w") as archive:
        archive.writestr("rectangles.txt", "")
    with pytest.raises(ValueError, match=r"rectangles\.zip does not hold rectangles_train\.amat"):
        load("rect", tmp_path)
    (tmp_path / "rectangles.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"rectangles\.zip is not a readable zip archive"):
        load("rect", tmp_path)

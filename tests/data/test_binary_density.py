import os
from pathlib import Path

import pytest
import torch

from harmonium.data import binary_density

SPLITS = ("train", "valid", "test")
OWN = {"train": "0,1,1\n1,0,1\n", "valid": "1,1,1\n", "test": "0,0,0\n0,0,1\n1,1,0\n"}


def put(folder, name, contents):
    (folder / name).mkdir(parents=True)
    for split, content in contents.items():
        (folder / name / f"{name}.{split}.data").write_text(content)


@pytest.fixture(autouse=True)
def _no_cache(tmp_path, monkeypatch, request):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    if "real" not in request.node.name:
        monkeypatch.delenv("HARMONIUM_DATA", raising=False)


@pytest.mark.parametrize("inside", ["binary-density", "."])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_set_of_ones_own_becomes_three_tensors(tmp_path, monkeypatch, inside, by):
    put(tmp_path / inside, "adult", OWN)
    if by == "environment":
        monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path))
    found = binary_density.load("adult", tmp_path if by == "argument" else None)
    assert found.train.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert found.valid.tolist() == [[1, 1, 1]]
    assert found.test.tolist() == [[0, 0, 0], [0, 0, 1], [1, 1, 0]]
    assert {rows.dtype for rows in found} == {torch.uint8}


def test_lines_may_end_as_elsewhere_and_in_nothing(tmp_path):
    put(tmp_path, "adult", {**OWN, "train": "0,1,1\r\n1,0,1"})
    assert binary_density.load("adult", tmp_path).train.tolist() == [[0, 1, 1], [1, 0, 1]]


FAULTS = {
    "another value": ("0,1,1\n0,2,1\n", "case 2: expected 0s and 1s .* found '0,2,1'"),
    "a number of two digits": ("0,1,1\n10,1\n", "case 2: expected 0s and 1s"),
    "another separator": ("0,1,1\n0;1;1\n", "case 2: expected 0s and 1s .* found '0;1;1'"),
    "a comma at the end": ("0,1,1,\n", "case 1: expected 0s and 1s"),
    "a shorter case": ("0,1,1\n0,1\n", "case 2: expected 3 variables as in the first case, found 2"),
    "no case": ("\n", "has no cases"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_holds_something_else_is_named(tmp_path, fault):
    content, says = FAULTS[fault]
    put(tmp_path, "adult", {**OWN, "valid": content})
    with pytest.raises(ValueError, match=says) as caught:
        binary_density.load("adult", tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "adult" / "adult.valid.data"))


def test_splits_of_different_width_are_refused(tmp_path):
    put(tmp_path, "adult", {**OWN, "test": "0,1\n"})
    with pytest.raises(ValueError, match=r"adult\.test\.data has 2 variables per case, and .*adult\.train\.data has 3"):
        binary_density.load("adult", tmp_path)


def test_a_known_set_of_another_size_is_refused(tmp_path):
    put(tmp_path, "nltcs", OWN)
    with pytest.raises(ValueError, match=r"nltcs.train.data is not the collection's: expected \(16181, 16\) .* found \(2, 3\)"):
        binary_density.load("nltcs", tmp_path)


def test_a_set_that_is_nowhere_is_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'adult' is not a known set: name the folder .*nltcs, plants"):
        binary_density.load("adult")
    put(tmp_path, "adult", {"train": OWN["train"]})
    with pytest.raises(FileNotFoundError, match=r"expected adult/adult\.train\.data, adult/adult\.valid\.data, .*not all three are there"):
        binary_density.load("adult", tmp_path)


def test_a_known_set_that_is_not_here_is_downloaded(tmp_path, monkeypatch):
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append((url, known_hash))
        file = Path(path) / fname
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(OWN["train"])
        return str(file)

    monkeypatch.setattr("pooch.retrieve", retrieve)
    with pytest.raises(ValueError, match=r"cache.*is not the collection's"):
        binary_density.load("plants")
    address = f"{binary_density.COLLECTION}/37d53c1a/datasets/plants/plants"
    sums = binary_density.SETS["plants"][2]
    assert asked == [(f"{address}.{split}.data", f"sha256:{sum}") for split, sum in zip(SPLITS, sums, strict=True)]


def test_the_sums_are_all_different():
    sums = [sum for _, _, each in binary_density.SETS.values() for sum in each]
    assert len(set(sums)) == len(sums) == 39
    assert {len(sum) for sum in sums} == {64}


def real(name):
    folder = os.environ.get("HARMONIUM_DATA")
    return bool(folder) and all((Path(folder) / "binary-density" / name / f"{name}.{split}.data").is_file() for split in SPLITS)


@pytest.mark.parametrize("name", binary_density.NAMES)
def test_the_real_files(name):
    if not real(name):
        pytest.skip(f"HARMONIUM_DATA is not set, or has no binary-density/{name}")
    import hashlib

    found = binary_density.load(name)
    assert {int(rows.max()) for rows in found} == {1}
    folder = Path(os.environ["HARMONIUM_DATA"]) / "binary-density" / name
    for split, sum in zip(SPLITS, binary_density.SETS[name][2], strict=True):
        assert hashlib.sha256((folder / f"{name}.{split}.data").read_bytes()).hexdigest() == sum
    if name == "mushrooms":
        assert found.train.sum(1).float().mean() == pytest.approx(21, abs=0.05)  # 22 attributes one-hot, one of them at times unknown

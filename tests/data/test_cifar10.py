import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harmonium.data import cifar10

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def record(label, red, green, blue):
    """A label and three planes, each of one value but for the second pixel of its third row, 9 more."""
    planes = [[value] * 1024 for value in (red, green, blue)]
    for plane in planes:
        plane[2 * 32 + 1] += 9
    return struct.pack("<3073B", label, *planes[0], *planes[1], *planes[2])


def write_original(folder, cases=20):
    """The six files of the original, of so few records; the red plane says the file, the green one the place in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        (folder / name).write_bytes(b"".join(record(case % 10, number, case, 200) for case in range(cases)))


@pytest.fixture
def few(monkeypatch):
    """Twenty images of a file, two of a class."""
    monkeypatch.setattr(cifar10, "OF_A_BATCH", 20)
    monkeypatch.setattr(cifar10, "OF_PART", (20, 5))
    monkeypatch.setattr(cifar10, "OF_A_CLASS", {"train": 3, "test": 2})


@pytest.mark.parametrize("inside", ["", "cifar-10", "cifar-10/cifar-10-batches-bin", "cifar-10-batches-bin"])
def test_records_in_their_order(tmp_path, few, inside):
    write_original(tmp_path / inside)
    found = cifar10.load(data_dir=tmp_path)
    assert (found.train_images.shape, found.train_images.dtype) == ((100, 3072), torch.uint8)
    assert (found.test_images.shape, found.lossy) == ((20, 3072), False)
    assert found.train_labels.tolist() == [*range(10)] * 10
    assert found.test_labels.tolist() == [*range(10)] * 2
    planes = found.train_images.reshape(-1, *cifar10.SHAPE)
    assert planes[:, 0, 0, 0].tolist() == [file for file in range(5) for _ in range(20)]
    assert planes[:, 1, 0, 0].tolist() == [*range(20)] * 5
    assert (planes[:, 2] == 209).nonzero()[:, 1:].unique(dim=0).tolist() == [[2, 1]]
    assert (planes[:, 2] == 200).sum() == 100 * 1023
    assert found.test_images[7, :2].tolist() == [5, 5]


def test_a_part_of_the_records(tmp_path, few):
    (tmp_path / "data_batch_1_first4000.bin").write_bytes(b"".join(record(case % 3, 1, case, 2) for case in range(20)))
    (tmp_path / "test_batch_first1000.bin").write_bytes(b"".join(record(9, 1, case, 2) for case in range(5)))
    found = cifar10.load("part", tmp_path)
    assert found.train_labels.tolist() == [case % 3 for case in range(20)]
    assert found.train_images[:, 1024].tolist() == [*range(20)]
    assert (found.test_images[:, 1024].tolist(), found.test_labels.tolist()) == ([*range(5)], [9] * 5)
    assert not found.lossy


FAULTS = {
    "cut off": (lambda data: data[:-1], "is cut off or another file: expected 20 records of 3073 bytes, 61460, found 61459"),
    "a record more": (lambda data: data + data[:3073], "is cut off or another file: expected 20 records"),
    "a wrong label": (lambda data: data[: 3 * 3073] + b"\x0a" + data[3 * 3073 + 1 :], "expected labels from 0 to 9, found 10 of image 3"),
    "other labels": (
        lambda data: b"\x05" + data[1:],
        r"training files are not the original ones: expected 10 images of each class, found \[9, 10",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, few, fault):
    change, says = FAULTS[fault]
    write_original(tmp_path)
    path = tmp_path / "data_batch_4.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=says) as caught:
        cifar10.load(data_dir=tmp_path)
    assert fault == "other labels" or str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", ["data_batch_1", "cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"])
def test_the_pickle_is_never_opened(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"\x80\x04N.")
    with pytest.raises(ValueError, match="is of the Python version, a pickle, which could run any code: get the binary version"):
        cifar10.load(data_dir=tmp_path)


def test_what_is_missing_is_named(tmp_path, few, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    write_original(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"CIFAR-10's file data_batch_3\.bin is not on this machine \(not found in .*unpack it"):
        cifar10.load(data_dir=tmp_path)
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="no folder was named"):
        cifar10.load()
    for form, name in (("part", "data_batch_1_first4000.bin"), ("jpeg", "train_labels_50000.bin")):
        with pytest.raises(FileNotFoundError, match=f"put {name}"):
            cifar10.load(form, tmp_path)
    with pytest.raises(ValueError, match='the forms "original", "part" and "jpeg", found \'png\''):
        cifar10.load("png")


def jpeg(red, green, blue, side=32):
    """A plain image, which JPEG changes by little."""
    held = io.BytesIO()
    pixels = np.broadcast_to(np.array([red, green, blue], np.uint8), (side, side, 3))
    Image.fromarray(np.ascontiguousarray(pixels)).save(held, "JPEG", quality=95)
    return held.getvalue()


ORDER = [3, 0, 0, 9, *[label for label in range(10) for _ in range(3 - [3, 0, 0, 9].count(label))]]


def write_jpeg(folder, changed=None, order=ORDER):
    """Three training and two test images of a class; red says the class, green the place within it."""
    for part, cases in (("train", 3), ("test", 2)):
        for label, name in enumerate(NAMES):
            path = folder / "cifar-10" / "jpeg" / part / f"{name}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            members = {f"{part}/{name}/{case:04}.jpg": jpeg(20 * label, 60 * case, 130) for case in reversed(range(cases))}
            with zipfile.ZipFile(path, "w") as archive:
                for member, content in (members | (changed or {} if (part, name) == ("test", "cat") else {})).items():
                    archive.writestr(member, content)
    (folder / "cifar-10" / "train_labels_50000.bin").write_bytes(bytes(order))


def test_jpeg_files_in_the_original_order(tmp_path, few):
    write_jpeg(tmp_path)
    found = cifar10.load("jpeg", tmp_path)
    assert found.lossy
    assert (found.train_labels.tolist(), found.train_images.dtype) == (ORDER, torch.uint8)
    assert found.test_labels.tolist() == [label for label in range(10) for _ in range(2)]
    places = [ORDER[:case].count(label) for case, label in enumerate(ORDER)]
    for images, labels, nth in ((found.train_images, ORDER, places), (found.test_images, found.test_labels.tolist(), [0, 1] * 10)):
        planes = images.reshape(-1, *cifar10.SHAPE).int()
        expected = torch.tensor([[20 * label, 60 * place, 130] for label, place in zip(labels, nth, strict=True)])
        assert (planes - expected[:, :, None, None]).abs().max() <= 3


JPEG_FAULTS = {
    "another member": ({"test/cat/0002.jpg": jpeg(0, 0, 0)}, "cat.zip is another file: expected the 2 images test/cat/0000.jpg to"),
    "no JPEG": ({"test/cat/0001.jpg": b"GIF89a"}, r"test/cat/0001\.jpg in .*cat\.zip is not a readable image"),
    "another size": (
        {"test/cat/0001.jpg": jpeg(0, 0, 0, side=31)},
        r"another image: expected 32 x 32 pixels of three bytes, found \(31, 31, 3\)",
    ),
    "large": ({"test/cat/0001.jpg": bytes(20_000)}, "is not a readable image: it has 20000 bytes"),
}


@pytest.mark.parametrize("fault", JPEG_FAULTS)
def test_an_archive_that_is_not_what_its_name_says_is_named(tmp_path, few, fault):
    changed, says = JPEG_FAULTS[fault]
    write_jpeg(tmp_path, changed)
    with pytest.raises(ValueError, match=says):
        cifar10.load("jpeg", tmp_path)


def test_other_files_of_the_jpeg_form(tmp_path, few):
    for order, says in (
        (ORDER[1:], "expected 30 labels of a byte, found 29"),
        ([0, *ORDER[1:]], "3 labels of each class"),
        ([77] * 30, "found 77"),
    ):
        write_jpeg(tmp_path, order=order)
        with pytest.raises(ValueError, match=says):
            cifar10.load("jpeg", tmp_path)
    write_jpeg(tmp_path)
    (tmp_path / "cifar-10/jpeg/test/dog.zip").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match=r"dog\.zip is not a readable zip archive"):
        cifar10.load("jpeg", tmp_path)


FOLDER = Path(os.environ.get("HARMONIUM_DATA", "")) / "cifar-10"
here = pytest.mark.skipif(
    not (FOLDER / "test_batch_first1000.bin").is_file(), reason="HARMONIUM_DATA is not set, or has no part of CIFAR-10"
)


@here
def test_the_real_part():
    """As many images of each class as the original has among its first, and neighbouring pixels that are alike in each plane."""
    found = cifar10.load("part")
    assert torch.bincount(found.train_labels).tolist() == [396, 366, 420, 384, 422, 393, 414, 385, 407, 413]
    assert torch.bincount(found.test_labels).tolist() == [103, 89, 100, 103, 90, 86, 112, 102, 106, 109]
    for planes in found.train_images.reshape(-1, *cifar10.SHAPE).double().unbind(1):
        for one, other in ((planes[:, 1:], planes[:, :-1]), (planes[:, :, 1:], planes[:, :, :-1])):
            assert np.corrcoef(one.flatten(), other.flatten())[0, 1] > 0.9


@here
@pytest.mark.skipif(not (FOLDER / "jpeg/test/cat.zip").is_file(), reason="no JPEG form of CIFAR-10")
def test_the_real_jpeg_files_are_the_same_images():
    """The cats among the first 1,000 test images are the first cats of the JPEG form, whose pixels are a few grey levels off."""
    part = cifar10.load("part")
    cats = part.test_images[part.test_labels == 3].double()
    off = (torch.from_numpy(cifar10._read(FOLDER / "jpeg/test/cat.zip", "test", "cat"))[: len(cats)] - cats).square().mean(1).sqrt()
    assert 1 < off.mean() < 10
    assert off.max() < 20

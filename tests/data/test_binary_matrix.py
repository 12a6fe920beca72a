"""NORB's file format, against files that an independent writer wrote byte by byte."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from harmonium.data.binary_matrix import read_binary_matrix, write_binary_matrix
from tests.data.norb_files import header

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def written(tmp_path, content, name="a.mat"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_and_integers(tmp_path, pack):
    found = read_binary_matrix(written(tmp_path, pack(header("uint8", 2, 3, 4) + bytes(range(24)))))
    np.testing.assert_array_equal(found, VALUES)
    assert found.dtype == np.uint8
    integers = read_binary_matrix(written(tmp_path, pack(header("int32", 3, 2) + struct.pack("<6i", 1, -2, 3, 70_000, 5, 6)), "b.mat"))
    np.testing.assert_array_equal(integers, [[1, -2], [3, 70_000], [5, 6]])
    labels = read_binary_matrix(written(tmp_path, pack(header("int32", 2) + struct.pack("<2i", 4, 1)), "c.mat"))
    assert labels.tolist() == [4, 1]


def test_a_plain_file_is_mapped_and_not_read(tmp_path):
    path = tmp_path / "big.mat"
    with path.open("wb") as file:
        file.write(header("uint8", 10_000, 10_000, 100))
        file.truncate(20 + 10**10)  # ten gigabytes that take no room
    found = read_binary_matrix(path)
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert found[9_999, 9_999, 99] == 0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (2, 1, 2, 3)])
def test_what_is_written_is_read(tmp_path, dtype, shape):
    array = (np.arange(np.prod(shape)) - 3).reshape(shape).astype(dtype)
    write_binary_matrix(tmp_path / "a.mat", array)
    found = read_binary_matrix(tmp_path / "a.mat")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == dtype


def test_what_is_written_is_the_format(tmp_path):
    write_binary_matrix(tmp_path / "a.mat", VALUES)
    assert (tmp_path / "a.mat").read_bytes() == header("uint8", 2, 3, 4) + bytes(range(24))
    with pytest.raises(TypeError, match="holds an array of type uint8, int16, int32, float32, float64, found complex128"):
        write_binary_matrix(tmp_path / "b.mat", np.zeros(3, dtype=complex))


FAULTS = {
    "nothing": (b"", "is not a binary matrix as NORB's.* begins with nothing"),
    "a MATLAB file": (b"MATLAB 5.0 MAT-file, Platform", "begins with 4d 41 54 4c 41 42 20 35"),
    "another byte order": (header("uint8", 2, 3, 4)[:4][::-1] + header("uint8", 2, 3, 4)[4:], "is not a binary matrix"),
    "too many dimensions": (header("uint8", 2)[:4] + struct.pack("<i", 40), "is not a binary matrix"),
    "no sizes": (header("uint8", 2, 3, 4)[:14], "3 sizes were expected in its header, but it stops before the last"),
    "a negative size": (header("uint8", 2)[:8] + struct.pack("<3i", -2, 1, 1), r"its header states 1 dimensions of the sizes \(-2, 1, 1\)"),
    "a size too many": (header("uint8", 2)[:8] + struct.pack("<3i", 2, 5, 1) + bytes(10), "its header states 1 dimensions of the sizes"),
    "too short": (
        header("uint8", 2, 3, 4) + bytes(20),
        "truncated: its header states 2 x 3 x 4 uint8 values, 24 bytes, and only 20 follow",
    ),
    "too long": (header("uint8", 2, 3, 4) + bytes(25), "over-long: .* 24 bytes, and more follow"),
    "an absurd size": (header("float32", 2**31 - 1, 2**31 - 1, 2**31 - 1) + bytes(9), "truncated: .* follow"),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "compressed"])
@pytest.mark.parametrize("name", FAULTS)
def test_damaged_files_are_refused_by_a_sentence(tmp_path, name, pack):
    content, message = FAULTS[name]
    if pack is gzip.compress and name == "an absurd size":
        message = "more than a file of its size can hold"
    if pack is gzip.compress and name == "too long":
        message = "over-long"
    with pytest.raises(ValueError, match=message):
        read_binary_matrix(written(tmp_path, pack(content)))


def test_a_damaged_stream_is_refused(tmp_path):
    whole = gzip.compress(header("uint8", 2, 3, 4) + bytes(range(24)))
    with pytest.raises(ValueError, match="its gzip stream stops before its end"):
        read_binary_matrix(written(tmp_path, whole[:-9]))
    with pytest.raises(ValueError, match="an intact gzip stream was expected"):
        read_binary_matrix(written(tmp_path, whole[:-8] + bytes(8)))


SAMPLES = Path(os.environ.get("HARMONIUM_DATA", "/nowhere")) / "norb-format-samples"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of the format are not on this machine")
def test_samples_that_others_read_as_well():
    images = read_binary_matrix(SAMPLES / "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat")
    assert images.shape == (5, 2, 96, 96)
    rows, cameras = np.indices((5, 2))
    np.testing.assert_array_equal(images[:, :, 0, 0], rows)
    np.testing.assert_array_equal(images[:, :, 0, 1], cameras)
    assert (images[:, :, 95, 0] == 255).all()
    assert read_binary_matrix(SAMPLES / "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat").shape == (3, 4)

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest

from harmonium.data import read_idx

from .idx_files import CODES, header, idx_bytes, write

IMAGES = np.random.default_rng(1).integers(0, 256, (5, 4, 3)).astype(np.uint8)
EXTREMES = {"u1": (0, 255), "i1": (-128, 127), "i2": (-32768, 32767), "i4": (-(2**31), 2**31 - 1)}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", CODES)
def test_every_value_type_is_read_exactly(tmp_path, kind, packed):
    low, high = EXTREMES.get(kind, (-1.5e30, np.pi))
    array = np.array([[low, high, 1], [2, 3, 100]], dtype=kind)
    found = read_idx(write(tmp_path / "file", idx_bytes(array), packed=packed), dimensions=2)
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


def test_a_file_written_out_by_hand(tmp_path):
    content = bytes([0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x01, 0x02, 0xFF, 0xFE])
    assert read_idx(write(tmp_path / "file", content)).tolist() == [[258, -2]]


@pytest.mark.parametrize(("name", "packed"), [("images", True), ("images.gz", False)])
def test_gzip_is_told_by_content_and_not_by_name(tmp_path, name, packed):
    np.testing.assert_array_equal(read_idx(write(tmp_path / name, idx_bytes(IMAGES), packed=packed)), IMAGES)
    np.testing.assert_array_equal(read_idx(str(tmp_path / name), dimensions=3), IMAGES)


WHOLE = idx_bytes(IMAGES)
LABELS = idx_bytes(IMAGES[:, 0, 0])
PACKED = gzip.compress(WHOLE, mtime=0)
WRONG_SUM = PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:]

FAULTS = {
    "empty file": (b"", "not an IDX file.*begins with nothing"),
    "cut magic": (WHOLE[:3], "not an IDX file"),
    "cut header": (WHOLE[:11], "truncated: 3 sizes"),
    "cut values": (WHOLE[:-1], "more than a file of its size can hold|truncated"),
    "no values": (header(0x08, (0, 28, 28)), "empty: its header states 0 x 28 x 28 uint8"),
    "too long": (WHOLE + b"\0", "over-long: its header states 5 x 4 x 3 uint8 values, 60 bytes, but more"),
    "too long, packed": (gzip.compress(WHOLE + b"\0"), "over-long: .* 60 bytes, but more"),
    "cut values, packed": (gzip.compress(WHOLE[:-1]), "truncated: .* 60 bytes, but only 59 follow"),
    "cut gzip": (PACKED[:-12], "truncated"),
    "cut gzip sum": (PACKED[:-3], "truncated: its gzip stream"),
    "wrong gzip sum": (WRONG_SUM, "corrupted: an intact gzip stream was expected, but CRC"),
    "rubbish in gzip": (PACKED[:10] + b"\xff" * 40, "corrupted: an intact gzip stream"),
    "rubbish after gzip": (PACKED + b"rubbish", "corrupted"),
    "labels": (LABELS, r"mislabelled: .*3 dimensions \(images\) was expected, but it is one of 1 dimension \(labels\)"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "not an IDX file.*begins with 89 50 4e 47"),
    "a page": (b"<!DOCTYPE html><p>Not found", "not an IDX file"),
    "a page, packed": (gzip.compress(b"<!DOCTYPE html>"), "not an IDX file"),
    "unknown type": (header(0x0A, (1, 1, 1)) + b"\0", "not an IDX file.*begins with 00 00 0a 03"),
    "no dimensions": (bytes([0, 0, 8, 0, 1]), "not an IDX file"),
    "255 dimensions": (bytes([0, 0, 8, 255]) + b"\0\0\0\1" * 255 + b"\0", "not an IDX file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_named_with_its_fault_in_one_sentence(tmp_path, fault):
    content, says = FAULTS[fault]
    path = write(tmp_path / "train-images", content)
    with pytest.raises(ValueError, match=says) as caught:
        read_idx(path, dimensions=3)
    message = str(caught.value)
    assert message.startswith(f"{path} is ")
    assert "\n" not in message
    assert ". " not in message


def test_images_where_labels_are_expected(tmp_path):
    path = write(tmp_path / "labels", WHOLE, packed=True)
    with pytest.raises(ValueError, match=r"labels is mislabelled: .*1 dimension \(labels\) was expected"):
        read_idx(path, dimensions=1)


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_idx(tmp_path / "nothing-here")


UNUSED = range(4, 10)  # gzip's own header: a time, a level and a system, on which nothing depends


def test_every_single_damaged_byte_is_noticed_or_harmless(tmp_path):
    for position in range(len(PACKED)):
        damaged = bytearray(PACKED)
        damaged[position] ^= 0x55
        path = write(tmp_path / "file", damaged)
        if position in UNUSED:
            np.testing.assert_array_equal(read_idx(path, dimensions=3), IMAGES)
        else:
            with pytest.raises(ValueError, match=f"^{re.escape(str(path))} is "):
                read_idx(path, dimensions=3)


@pytest.mark.parametrize("packed", [False, True])
def test_memory_is_not_spent_on_an_absurd_header(tmp_path, packed):
    path = write(tmp_path / "file", struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + bytes(99), packed=packed)
    with pytest.raises(ValueError, match="more than a file of its size can hold"):
        read_idx(path)


def test_memory_is_not_spent_on_what_the_header_does_not_promise(tmp_path):
    path = write(tmp_path / "file", header(0x08, (10,)) + bytes(30_000_000), packed=True)
    tracemalloc.start()
    with pytest.raises(ValueError, match="over-long"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000

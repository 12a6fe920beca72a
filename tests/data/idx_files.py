"""IDX files written straight from the format's description, for the tests of what reads them."""

import gzip
import struct

import numpy as np

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def header(code, sizes):
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes)


def idx_bytes(array):
    kind = array.dtype.str[1:]
    return header(CODES[kind], array.shape) + array.astype(f">{kind}").tobytes()


def write(path, content, *, packed=False):
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return path


def write_blank_images(path, count, pixel=0):
    """A plain file of black 28 x 28 images, but for one pixel; its zeros take no space, so that any count is quick."""
    with path.open("wb") as file:
        file.write(header(CODES["u1"], (count, 28, 28)) + bytes([pixel]))
        file.truncate(16 + count * 28 * 28)
    return path


def write_labels(path, counts):
    return write(path, idx_bytes(np.repeat(np.arange(len(counts), dtype=np.uint8), counts)))

"""Files of MATLAB's level 5 format, against SciPy's writer and reader; and damaged ones, which SciPy's reader need not survive."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from harmonium.data.matlab_reader import MOST_BYTES, read

NUMBERS = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8")
VARIABLES: dict[str, Callable[[], Any]] = {
    **{kind: lambda kind=kind: np.arange(24).reshape(2, 3, 4).astype(kind) for kind in NUMBERS},
    "cells": lambda: np.array([[np.eye(2), "words", np.zeros((0, 3))], [np.array([1, 2], "u1"), "", np.ones((1, 1))]], object),
    "sparse": lambda: scipy.sparse.random(7, 5, 0.4, random_state=0, format="csc"),
    "empty": lambda: scipy.sparse.csc_matrix((4, 3)),
    "text": lambda: "one line",
    "lines": lambda: np.array(["abc", "xyz"]),
    "structure": lambda: {"name": "arm", "offset": np.arange(3.0), "tree": {"depth": 2}},
    "truths": lambda: np.array([[True, False, True]]),
}


def written(*names: str, compressed: bool = True) -> bytes:
    """A file of some of the variables, by SciPy."""
    file = io.BytesIO()
    scipy.io.savemat(file, {f"v_{name}": VARIABLES[name]() for name in names}, do_compression=compressed)
    return file.getvalue()


def check_same(found: Any, expected: Any) -> None:
    if scipy.sparse.issparse(expected):
        assert (found - expected).nnz == 0
        assert found.shape == expected.shape
        return
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if expected.dtype.names:
        for name in expected.dtype.names:
            check_same(found[name], expected[name])
    elif expected.dtype == object:
        for one, other in zip(found.ravel(), expected.ravel(), strict=True):
            check_same(one, other)
    else:
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", VARIABLES)
def test_every_kind_of_variable_is_as_scipy_reads_it(name: str, compressed: bool) -> None:
    content = written("f4", name, compressed=compressed)
    expected = scipy.io.loadmat(io.BytesIO(content))
    found = read(content, [f"v_{name}"])
    assert list(found) == [f"v_{name}"]
    check_same(found[f"v_{name}"], expected[f"v_{name}"])


def header(order: str = "<") -> bytes:
    return b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x100) + (b"IM" if order == "<" else b"MI")


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\x00")


def matrix(kind: int, dims: tuple[int, ...], *parts: bytes, order: str = "<") -> bytes:
    flags, sizes = element(6, struct.pack(f"{order}II", kind, 0), order), element(5, struct.pack(f"{order}{len(dims)}i", *dims), order)
    return element(14, flags + sizes + element(1, b"x", order) + b"".join(parts), order)


def test_the_other_byte_order() -> None:
    file = header(">") + matrix(6, (2, 2), element(9, struct.pack(">4d", 1, 2, 3, 4), ">"), order=">")
    assert read(file, "x")["x"].tolist() == [[1, 3], [2, 4]]


ZEROS = zlib.compress(bytes(1 << 26))
HUGE = zlib.compress(struct.pack("<II", 14, 1 << 31) + matrix(6, (1, 1))[8:] + bytes(1 << 20))
CRAFTED = {
    "nothing": b"",
    "another format": b"MATLAB 7.3".ljust(124) + b"\x00\x02IM" + bytes(64),
    "sizes beyond memory": header() + matrix(6, (1 << 30, 1 << 30), element(9, bytes(8))),
    "more cells than bytes": header() + matrix(1, (1 << 15, 1 << 15)),
    "negative sizes": header() + matrix(6, (-2, -2), element(9, bytes(32))),
    "an entry outside of a sparse matrix": header()
    + matrix(5, (2, 1), element(5, struct.pack("<i", 7)), element(5, struct.pack("<2i", 0, 1)), element(9, bytes(8))),
    "columns that run backwards": header()
    + matrix(5, (2, 2), element(5, bytes(12)), element(5, struct.pack("<3i", 0, 3, 1)), element(9, bytes(24))),
    "complex numbers": header() + matrix(6 | 0x800, (1, 1), element(9, bytes(8)), element(9, bytes(8))),
    "a text as numbers": header() + matrix(4, (1, 1), element(9, bytes(8))),
    "compressed, and no element": header() + struct.pack("<II", 15, 12) + bytes(12),
    "a bomb that says so": header() + struct.pack("<II", 15, len(HUGE)) + HUGE,
    "a cell without its content": header() + matrix(1, (1, 1), matrix(1, (1, 1))),
}


@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED.keys())
def test_crafted_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        read(content, ["x"])


def test_zeros_without_end_are_not_decompressed() -> None:
    assert read(header() + struct.pack("<II", 15, len(ZEROS)) + ZEROS, ["x"]) == {}


def test_a_chain_of_cells_too_deep_for_the_stack() -> None:
    chain = matrix(6, (1, 1), element(9, bytes(8)))
    for _ in range(300):
        chain = matrix(1, (1, 1), chain)
    with pytest.raises(ValueError, match="deep"):
        read(header() + chain, ["x"])


def test_what_is_not_asked_for_is_not_decompressed() -> None:
    large = zlib.compress(matrix(6, (1 << 12, 1 << 12), element(9, bytes(8 << 24))), 1)
    file = header() + struct.pack("<II", 15, len(large)) + large + matrix(6, (1, 1), element(9, bytes(8))).replace(b"x", b"z")
    assert len(large) < MOST_BYTES // 100
    assert list(read(file, ["z"])) == ["z"]
    with pytest.raises(ValueError, match="more than"):
        read(file, ["x"])


def test_mutated_files_are_read_or_refused() -> None:
    """Bytes changed, cut out, repeated: each file is read, or refused by a ValueError."""
    chance = random.Random(0)
    originals = [written(name, compressed=False) for name in VARIABLES] + [written(*VARIABLES)]
    names, refused = [f"v_{name}" for name in VARIABLES], 0
    for _ in range(4000):
        content = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(126, len(content))
            change = chance.randrange(4)
            if change == 0:
                content[at] ^= 1 << chance.randrange(8)
            elif change == 1:
                content[at : at + 4] = struct.pack("<I", chance.choice([0, 1, 2**31 - 1, 2**32 - 1, 14, 15, 9, chance.getrandbits(32)]))
            elif change == 2:
                del content[at : at + chance.randint(1, 16)]
            else:
                content[at:at] = content[at : at + chance.randint(1, 16)]
        try:
            read(bytes(content), names)
        except ValueError:
            refused += 1
    assert 500 < refused < 4000

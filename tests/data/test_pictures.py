"""Image files: bombs, other formats and damage are refused before they cost anything."""

import io
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from harmonium.data.pictures import decoded


def encoded(kind: str, pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 8)


@pytest.mark.parametrize("kind", ["PNG", "PPM", "TIFF"])
def test_pixels_are_as_they_were_stored(kind: str) -> None:
    assert np.array_equal(decoded(io.BytesIO(encoded(kind, PIXELS)), [kind], (6, 8)), PIXELS)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_bomb_is_not_decoded() -> None:
    """A few hundred bytes that say they are ten thousand pixels high and wide."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 16))) + chunk(b"IEND", b"")
    tracemalloc.start()
    with pytest.raises(ValueError, match="9000 x 9000 pixels"):
        decoded(io.BytesIO(bomb), ["PNG"])
    with pytest.raises(ValueError, match="6 x 8 pixels are expected"):
        decoded(io.BytesIO(bomb), ["PNG"], (6, 8))
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_another_format_is_not_looked_at() -> None:
    with pytest.raises(ValueError, match="cannot identify"):
        decoded(io.BytesIO(encoded("TIFF", PIXELS)), ["PNG", "JPEG"])


@pytest.mark.parametrize("kind", ["PNG", "PPM", "TIFF", "JPEG"])
def test_damaged_images_are_read_or_refused(kind: str) -> None:
    chance, refused = random.Random(0), 0
    content = encoded(kind, PIXELS)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            assert decoded(io.BytesIO(bytes(damaged)), [kind]).nbytes < 1 << 27
        except ValueError:
            refused += 1
    assert refused

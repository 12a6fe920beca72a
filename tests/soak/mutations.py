"""Changes of a file's bytes that know nothing of its format, each drawn by a seeded generator."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

LONGEST = 1 << 16  # bytes of a mutated file
EXTREMES = (0, 1, -1, 2, 7, 31, 32, 127, 128, 255, 256, 2**15 - 1, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63)
WORDS = (b"0", b"-1", b"1e309", b"nan", b"inf", b"4294967296", b"99999999999999999999", b"1e-320", b"", b"null", b"[]", b"{}", b'"x"',
         b"true", b"0.5", b"1" * 5000, b"\xff", b"\x00", b"\n", b"\xef\xbb\xbf")  # fmt: skip
TOKEN = re.compile(rb"[-+.\w]+")


def mutated(originals: Sequence[bytes], chance: random.Random) -> bytes:
    """One of some files with one to five changes, at most `LONGEST` bytes of it."""
    content = bytearray(chance.choice(originals))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        chance.choice(CHANGES)(content, originals, chance)
    return bytes(content[:LONGEST])


def _span(content: bytearray, chance: random.Random, longest: int) -> slice:
    begin = chance.randrange(len(content) + 1)
    return slice(begin, begin + chance.randint(1, longest))


def _flip(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _extreme(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    """A whole number becomes one at the edge of what its bytes can hold; headers have more of them than the rest."""
    size = chance.choice((1, 2, 4, 8))
    begin = chance.randrange(min(len(content) + 1, chance.choice((64, LONGEST))))
    value = chance.choice(EXTREMES) % (1 << 8 * size)
    content[begin : begin + size] = value.to_bytes(size, chance.choice(("little", "big")))


def _word(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    """A word or a number of a text becomes another."""
    begin = chance.randrange(len(content) + 1)
    found = TOKEN.search(content, begin, begin + 4096)
    if found:
        content[found.start() : found.end()] = chance.choice(WORDS)


def _cut(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _without(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    del content[_span(content, chance, 32)]


def _again(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    span = _span(content, chance, 64)
    content[span.start : span.start] = content[span] * chance.choice((1, 1, 2, 8, 100))


def _splice(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    """The rest becomes that of another file."""
    other = chance.choice(originals)
    content[chance.randrange(len(content) + 1) :] = other[chance.randrange(len(other) + 1) :]


def _moved(content: bytearray, originals: Sequence[bytes], chance: random.Random) -> None:
    span = _span(content, chance, 64)
    taken = content[span]
    del content[span]
    at = chance.randrange(len(content) + 1)
    content[at:at] = taken


CHANGES = (_flip, _flip, _extreme, _extreme, _word, _cut, _without, _again, _splice, _moved)

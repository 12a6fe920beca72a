"""Files in NORB's format, written byte by byte from the description of the format, without the package."""

import itertools
import struct

import numpy as np

TYPES = {"uint8": b"\x55\x4c\x3d\x1e", "int32": b"\x54\x4c\x3d\x1e", "float32": b"\x51\x4c\x3d\x1e"}


def header(kind, *sizes):
    padded = [*sizes, *[1] * (3 - len(sizes))]
    return TYPES[kind] + b"".join(int(number).to_bytes(4, "little") for number in (len(sizes), *padded))


def write_sparse(path, kind, sizes, cells=()):
    """A file of zeros that takes no room, but for some cells: (index, value) pairs of bytes."""
    start = header(kind, *sizes)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(len(start) + int(np.prod(sizes)))
        for index, value in cells:
            file.seek(len(start) + int(np.ravel_multi_index(index, sizes)))
            file.write(bytes([value]))


def write_integers(path, rows):
    rows = np.asarray(rows)
    path.write_bytes(header("int32", *rows.shape) + b"".join(struct.pack("<i", int(value)) for value in rows.ravel()))


def small_facts(toys, seed):
    """(categories, given) of every toy from every side in every light, in an order of its own."""
    every = list(itertools.product(range(5), toys, range(9), range(0, 36, 2), range(6)))
    np.random.default_rng(seed).shuffle(every)
    return [row[0] for row in every], [row[1:] for row in every]


def small_norb(folder, cells=()):
    """All six files of small NORB, black but for some cells of the training images."""
    found = {}
    for part, toys in (("training", (4, 6, 7, 8, 9)), ("testing", (0, 1, 2, 3, 5))):
        stem = f"smallnorb-5x{''.join(map(str, toys))}x9x18x6x2x96x96-{part}"
        found[part] = small_facts(toys, len(part))
        write_sparse(folder / f"{stem}-dat.mat", "uint8", (24_300, 2, 96, 96), cells if part == "training" else ())
        write_integers(folder / f"{stem}-cat.mat", found[part][0])
        write_integers(folder / f"{stem}-info.mat", found[part][1])
    return found


def jittered_norb(folder):
    """All 36 files of the jittered and cluttered set, black; every sixth pair shows nothing."""
    for part, toys, files in (("training", (4, 6, 7, 8, 9), 10), ("testing", (0, 1, 2, 3, 5), 2)):
        for number in range(1, files + 1):
            stem = f"norb-5x{''.join(map(str, toys))}x9x18x6x2x108x108-{part}-{number:02}"
            each = np.arange(29_160)
            given = np.stack(
                [
                    np.take(toys, each % 5),
                    each % 9,
                    2 * (each % 18),
                    each % 6,
                    each % 13 - 6,
                    each % 11 - 5,
                    each % 41 - 20,
                    each % 3,
                    each % 4,
                    each % 7 + number,
                ],
                axis=1,
            )
            write_sparse(folder / f"{stem}-dat.mat", "uint8", (29_160, 2, 108, 108), [((3, 1, 2, 1), number)])
            (folder / f"{stem}-cat.mat").write_bytes(header("int32", 29_160) + (each % 6).astype("<i4").tobytes())
            (folder / f"{stem}-info.mat").write_bytes(header("int32", 29_160, 10) + given.astype("<i4").tobytes())

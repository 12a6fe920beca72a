"""Toy objects: drawn stereo pairs of fifty toys of five categories in NORB's own files. A stand-in for NORB: they are no photographs."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harmonium.data import norb
from harmonium.data.binary_matrix import blank_binary_matrix, write_binary_matrix
from harmonium.data.fetch import cache_of
from harmonium.data.toys.cluttered import Clutter, jittered
from harmonium.data.toys.five_kinds import toy
from harmonium.data.toys.lamps import LIGHTINGS, layers, over
from harmonium.data.toys.solids import Array
from harmonium.seeds import derive

LOWEST, HIGHEST = 5.0, 85.0  # degrees above the plane from which a toy can be seen
NUMBERS = 10  # of toys in each category
ROOM = 10**8  # bytes that a disk has to have beyond the images
ORDER, MOVES = 10, 11  # what seeds are for, beside those of the toys' five categories


def render(category: str, number: int, elevation: float, azimuth: float, lighting: int, *, seed: int = 0) -> Tensor:
    """Draw one pair of toy objects.

    Parameters
    ----------
    category : str
        One of `hm.data.norb.NAMES`.
    number : int
        The toy within its category, from 0 to 9. As in NORB, 4, 6, 7, 8 and 9 are for training, the others for testing.
    elevation, azimuth : float
        Direction of the cameras in degrees: from 5 to 85 above the plane, and around the toy. The data set has 30, 35, ... 70 and 0,
        20, ... 340.
    lighting : int
        From 0 to 5.
    seed : int, default 0
        Seed of the toys' shapes.

    Returns
    -------
    Tensor
        (2, 96, 96) uint8, the left and the right camera's image.

    Raises
    ------
    ValueError
        For a category, toy, elevation or lighting that there is not.

    Examples
    --------
    >>> import harmonium as hm
    >>> pair = hm.data.toy_objects.render("airplane", 3, elevation=40, azimuth=120, lighting=0)
    >>> pair.shape, int(pair[0, 0, 0])
    (torch.Size([2, 96, 96]), 206)
    """
    if category not in norb.NAMES or number not in range(NUMBERS) or lighting not in range(len(LIGHTINGS)):
        raise ValueError(
            f"toy objects are of the categories {', '.join(norb.NAMES)}, numbered from 0 to {NUMBERS - 1}, in lightings from 0 to "
            f"{len(LIGHTINGS) - 1}, found {category!r}, {number!r} and lighting={lighting!r}"
        )
    if not LOWEST <= elevation <= HIGHEST or not np.isfinite(azimuth):
        raise ValueError(
            f"a toy is seen from {LOWEST:.0f} to {HIGHEST:.0f} degrees above the plane, at any azimuth, found {elevation=} and {azimuth=}"
        )
    found = layers(toy(norb.NAMES.index(category), number, seed), ([elevation], [azimuth]), [lighting], norb.SIDES["small"])
    return torch.from_numpy(_photograph(found, [lighting])[0, 0, 0])


def write(folder: str | Path, kind: norb.Kind = "small", seed: int = 0, *, progress: bool = True) -> None:
    """Draw all toy objects and write them as files of NORB's names and format, which `hm.data.norb.load` reads.

    Fifty toys of NORB's five categories, put together from ellipsoids, boxes and cylinders, are seen by two cameras from NORB's nine
    elevations and eighteen azimuths in six lightings. The toys for training and those for testing are others, as in NORB. The small set
    has its 24,300 pairs in either part, each toy before an even plane with its shadow. The jittered set shows each of these pairs ten times
    for training and twice for testing: shifted by up to 6 pixels, turned by up to 5 degrees, at 0.78 to 1 of its size, before a clutter of
    textures and edges and with another toy at the border, at another brightness and contrast; a sixth of its pairs show no toy but that
    at the border.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where to; it is made if there is none. The small set takes 0.9 GB, the jittered one 8.2 GB.
    kind : {"small", "jittered"}
        Which set.
    seed : int, default 0
        Seed of the toys' shapes, of the order of the pairs and of all that is random in the jittered set. Equal seeds write equal bytes.
    progress : bool, default True
        Whether to show a bar, if there is a terminal.

    Raises
    ------
    ValueError
        For another kind.
    FileExistsError
        If a file of one of these names is there already, NORB's own perhaps: nothing is overwritten.
    OSError
        If the disk has no room for the files.

    Notes
    -----
    Figures of toy objects are not figures of NORB: name them as what they are. The files have NORB's names, so keep them in a folder of
    their own. In the jittered set's `changes` shifts are in pixels, to the right and down, and contrast and scale in hundredths; the toy's
    number is -1 where there is none.

    LeCun, Huang & Bottou, "Learning methods for generic object recognition with invariance to pose and lighting", CVPR 2004, describe what
    is imitated here.

    Examples
    --------
    >>> import harmonium as hm
    >>> def some_pairs(folder):
    ...     hm.data.toy_objects.write(folder, "small")
    ...     return hm.data.norb.load("small", folder).train.images[:10]
    >>> hm.data.toy_objects.write("toys", "large")
    Traceback (most recent call last):
        ...
    ValueError: toy objects have the kinds "small" and "jittered", as NORB has, found 'large'
    """
    _check(kind)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    every = [stem for part in norb.TOYS for stem in norb.stems(kind, part)]
    paths = [folder / f"{stem}-{sort}.mat" for stem in every for sort in norb.SORTS]
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} is there already: name another folder, or remove NORB's files from this one")
    needed = len(every) * (norb.SMALL if kind == "small" else norb.OF_A_FILE) * 2 * norb.SIDES[kind] ** 2 + ROOM
    if (free := shutil.disk_usage(folder).free) < needed:
        raise OSError(f"toy objects need {needed / 1e9:.1f} GB in {folder}, found {free / 1e9:.1f} GB free: name a folder on another disk")
    try:
        for part in norb.TOYS:
            (_write_small if kind == "small" else _write_jittered)(folder, part, seed, progress)
    finally:
        for path in paths:
            _unfinished(path).unlink(missing_ok=True)


def load(kind: norb.Kind = "small", seed: int = 0, *, progress: bool = True) -> norb.Norb:
    """Load toy objects from the cache, where `write` puts them when they are asked for first.

    Parameters
    ----------
    kind : {"small", "jittered"}
        Which set. Drawing the small one takes minutes and 0.9 GB, the jittered one longer and 8.2 GB.
    seed : int, default 0
        As for `write`. Each seed has a folder of its own.
    progress : bool, default True
        Whether to show a bar while they are drawn, if there is a terminal.

    Returns
    -------
    Norb
        Training and test pairs, as `hm.data.norb.load` gives them.

    Raises
    ------
    ValueError
        For another kind.
    OSError
        If the disk has no room for the files.

    Notes
    -----
    The cache is that of downloads: the folder `toy-objects` in HARMONIUM_CACHE, or among the user's caches. They are complete or
    not there: they are drawn beside it first.

    Examples
    --------
    >>> import harmonium as hm
    >>> def some_pairs():
    ...     return hm.data.toy_objects.load().train.images[:10]
    >>> hm.data.toy_objects.load("large")
    Traceback (most recent call last):
        ...
    ValueError: toy objects have the kinds "small" and "jittered", as NORB has, found 'large'
    """
    _check(kind)
    folder = cache_of("toy-objects") / f"{kind}-seed-{seed}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".") as unfinished:
            drawn = Path(unfinished) / folder.name
            write(drawn, kind, seed, progress=progress)
            if not folder.exists():  # another process may have been faster
                os.rename(drawn, folder)
    return norb.load(kind, folder)


def _check(kind: norb.Kind) -> None:
    if kind not in norb.SIDES:
        raise ValueError(f'toy objects have the kinds "small" and "jittered", as NORB has, found {kind!r}')


def _write_small(folder: Path, part: str, seed: int, progress: bool) -> None:
    (stem,) = norb.stems("small", part)
    facts = _facts(part)
    places = np.random.default_rng(derive(seed, ORDER, *norb.TOYS[part])).permutation(len(facts))
    with_room = blank_binary_matrix(_unfinished(folder / f"{stem}-dat.mat"), np.dtype("u1"), (len(facts), 2, *[norb.SIDES["small"]] * 2))
    for its, found in _drawn(part, "small", seed, progress):
        with_room[places[its]] = _photograph(found, range(norb.LIGHTINGS)).reshape(-1, *with_room.shape[1:])
    _finish(folder, stem, facts[np.argsort(places)], with_room)


def _write_jittered(folder: Path, part: str, seed: int, progress: bool) -> None:
    facts, side = _facts(part), norb.SIDES["jittered"]
    stems = norb.stems("jittered", part)
    draws = [np.random.default_rng(derive(seed, MOVES, number, *norb.TOYS[part])) for number in range(len(stems))]
    orders = [draw.permutation(norb.OF_A_FILE) for draw in draws]
    given = [np.zeros((norb.OF_A_FILE, 1 + norb.GIVEN["jittered"]), dtype=np.int32) for _ in stems]
    images = [
        blank_binary_matrix(_unfinished(folder / f"{stem}-dat.mat"), np.dtype("u1"), (norb.OF_A_FILE, 2, side, side)) for stem in stems
    ]
    clutter = Clutter.drawn(
        [toy(category, number, seed) for category, number in _toys(part)], np.random.default_rng(derive(seed, MOVES, *norb.TOYS[part]))
    )
    for its, found in _drawn(part, "jittered", seed, progress):
        shown = found.reshape(-1, 2, 2, side, side)
        own = its.start // norb.OF_A_TOY
        for draw, order, facts_of_file, pairs in zip(draws, orders, given, images, strict=True):
            places = order[its]
            pairs[places], changes = jittered(shown, clutter, own, draw)
            facts_of_file[places] = np.concatenate([facts[its], changes], axis=1)
    for draw, order, facts_of_file, pairs in zip(draws, orders, given, images, strict=True):
        for few in np.array_split(order[len(facts) :], -(-(norb.OF_A_FILE - len(facts)) // norb.OF_A_TOY)):
            pairs[few], changes = jittered(np.zeros((len(few), 2, 2, side, side), dtype=np.float32), clutter, None, draw)
            facts_of_file[few] = np.concatenate([np.tile([len(norb.NAMES), -1, 0, 0, 0], (len(few), 1)), changes], axis=1)
    for stem, facts_of_file, pairs in zip(stems, given, images, strict=True):
        _finish(folder, stem, facts_of_file, pairs)


def _toys(part: str) -> list[tuple[int, int]]:
    return list(itertools.product(range(len(norb.NAMES)), norb.TOYS[part]))


def _facts(part: str) -> NDArray[np.int32]:
    """Category, toy, elevation, azimuth (in tens of degrees) and lighting of all pairs, toy by toy."""
    views = itertools.product(_toys(part), range(norb.ELEVATIONS), range(norb.AZIMUTHS), range(norb.LIGHTINGS))
    return np.array([(*which, elevation, 2 * azimuth, lighting) for which, elevation, azimuth, lighting in views], dtype=np.int32)


def _drawn(part: str, kind: norb.Kind, seed: int, progress: bool) -> Iterator[tuple[slice, Array]]:
    """Which facts a toy has, and its layers in all of them, toy by toy."""
    from rich.console import Console  # here: only a bar needs it
    from rich.progress import track

    where = [30.0 + 5 * row for row in range(norb.ELEVATIONS)], [20.0 * column for column in range(norb.AZIMUTHS)]
    shown = progress and sys.stderr.isatty()
    each = track(_toys(part), f"toy objects, {part}", console=Console(stderr=True), disable=not shown)
    for place, (category, number) in enumerate(each):
        its = slice(place * norb.OF_A_TOY, (place + 1) * norb.OF_A_TOY)
        yield its, layers(toy(category, number, seed), where, range(norb.LIGHTINGS), norb.SIDES[kind])


def _photograph(found: Array, lightings: Any) -> NDArray[np.uint8]:
    """Layers in these lightings before the even plane: (elevations, azimuths, lightings, 2, side, side)."""
    grounds = np.array([LIGHTINGS[number].ground for number in lightings], dtype=np.float32)
    return np.rint(over(found, grounds[:, None, None, None])).astype(np.uint8)


def _finish(folder: Path, stem: str, facts: NDArray[np.int32], images: np.memmap[Any, Any]) -> None:
    """Write categories and what is given of each pair; then all files of a stem get their names."""
    images.flush()
    paths = [folder / f"{stem}-{sort}.mat" for sort in norb.SORTS]
    for path, found in zip(paths[1:], (facts[:, 0], facts[:, 1:]), strict=True):
        write_binary_matrix(_unfinished(path), found)
    for path in paths:
        os.replace(_unfinished(path), path)


def _unfinished(path: Path) -> Path:
    """The name of a file until it is complete."""
    return path.with_name(f".{path.name}.tmp")
